//! The checked-in code is what the protos say: regenerates it and fails on a difference.
//!
//! When it fails, the new code is already in place: look at the difference and commit it.

use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;

#[test]
fn generated_code_is_what_the_protos_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let protos = ["fathom/collect/v1/collect.proto", "fathom/query/v1/query.proto"];
    let descriptors = protox::Compiler::new([root])
        .expect("the proto folder is there")
        .include_source_info(true)
        .include_imports(true)
        .open_files(protos)
        .expect("the protos compile")
        .file_descriptor_set();
    let fresh = tempfile::tempdir().expect("a temporary folder");
    tonic_prost_build::configure()
        .out_dir(fresh.path())
        .bytes(".fathom.collect.v1.IoBatch.columns")
        // A leg has many optional fields; boxed messages in an I/O would cost an allocation each.
        .compile_fds(descriptors.clone())
        .expect("the code can be generated");
    // Comments are for people who read the protos; reflection gets the bare descriptors.
    let mut bare = descriptors;
    bare.file.iter_mut().for_each(|file| file.source_code_info = None);
    fs::write(fresh.path().join("descriptors.bin"), bare.encode_to_vec()).expect("the descriptors can be written");

    let checked_in = root.join("src/generated");
    let mut changed = Vec::new();
    for entry in fs::read_dir(fresh.path()).expect("the temporary folder can be read") {
        let path = entry.expect("an entry").path();
        let name = PathBuf::from(path.file_name().expect("a file has a name"));
        let new = fs::read(&path).expect("a fresh file can be read");
        if fs::read(checked_in.join(&name)).ok().as_ref() != Some(&new) {
            fs::write(checked_in.join(&name), new).expect("the checked-in folder can be written");
            changed.push(name);
        }
    }
    assert!(
        changed.is_empty(),
        "{changed:?} differed from the protos and were written anew: commit them"
    );
}
