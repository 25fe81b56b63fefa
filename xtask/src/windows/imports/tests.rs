use super::*;

#[test]
fn libraries_are_read_from_what_objdump_prints() {
    let dump = "There is an import table in .idata at 0x1\n\n\tDLL Name: KERNEL32.dll\n\tvma:  Hint/Ord\n\n\tDLL Name: libgcc_s_seh-1.dll\n";
    let found: Vec<String> = libraries(dump).into_iter().collect();
    assert_eq!(found, ["kernel32.dll", "libgcc_s_seh-1.dll"]);
}

#[test]
fn a_library_of_the_compiler_is_not_of_windows() {
    assert!(of_windows("kernel32.dll"));
    assert!(of_windows("api-ms-win-core-synch-l1-2-0.dll"));
    for foreign in ["libgcc_s_seh-1.dll", "libwinpthread-1.dll", "kernel32x.dll", "zstd.dll"] {
        assert!(!of_windows(foreign), "{foreign}");
    }
}
