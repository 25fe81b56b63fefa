use std::fs;
use std::path::Path;

use fathom_model::Tap;

use super::{Home, Played};

fn recording(folder: &Path, rows: &str) -> fathom_lab::Recording {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("recordings");
    fs::create_dir_all(folder).unwrap();
    fs::copy(own.join("reads-by-hand/run.json"), folder.join("run.json")).unwrap();
    fs::write(folder.join("events-n0.jsonl"), rows).unwrap();
    fathom_lab::open(folder).unwrap()
}

/// Two runs in one folder became one cluster: `Joined 40,000 writes` of a recording of 20,000.
#[test]
fn a_folder_takes_one_run_with_its_taps_and_content() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("demo");
    let (one, two) = (home.path().join("one"), home.path().join("two"));
    let whole = Played::of(&recording(&one, ""), &[]).unwrap();
    for _ in 0..2 {
        assert_eq!(Home::open(Some(&folder), &whole).unwrap().path(), folder);
    }
    // Elsewhere it is the same.
    let again = Played::of(&recording(&two, ""), &[]).unwrap();
    Home::open(Some(&folder), &again).unwrap();
    let less = Played::of(&recording(&one, ""), &[Tap::Target]).unwrap();
    let cut = Played::of(&recording(&two, "\n"), &[]).unwrap();
    for (other, says) in [
        (&less, "with all taps"),
        (&cut, "as its files were then"),
        (&Played::named("fleet"), "reads-by-hand"),
    ] {
        let refused = Home::open(Some(&folder), other).unwrap_err().to_string();
        assert!(refused.contains(says), "{refused}");
        assert!(refused.contains("another folder"), "{refused}");
    }
    // One that lives there is not taken its store away.
    let first = Home::open(Some(&folder), &whole).unwrap();
    let second = Home::open(Some(&folder), &whole).unwrap_err().to_string();
    assert!(second.contains("a demo is running in"), "{second}");
    drop(first);
    Home::open(Some(&folder), &whole).unwrap();
}

/// What has the name of a file that a demo writes was written over: `--dir` of a folder with a context or certificates of somebody.
#[test]
fn a_folder_with_what_no_demo_put_there_is_refused_and_left_as_it_is() {
    for name in ["store", "context.toml", "certificates", "logs", "notes.txt"] {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(name)).unwrap();
        let refused = Home::open(Some(home.path()), &Played::named("fleet")).unwrap_err();
        let says = refused.to_string();
        assert!(says.contains(name) && says.contains("an empty folder"), "{says}");
        // It may be anybody's: nothing is put there, and nobody is told to remove it.
        assert!(!says.contains("remove"), "{says}");
        let inside: Vec<_> = fs::read_dir(home.path()).unwrap().collect();
        assert_eq!(inside.len(), 1, "{inside:?}");
    }
}

#[test]
fn a_temporary_folder_goes_with_it() {
    let home = Home::open(None, &Played::named("fleet")).unwrap();
    let path = home.path().to_owned();
    assert!(path.is_dir());
    drop(home);
    assert!(!path.exists());
}
