//! The demo as somebody runs it: stopped at any moment, and twice in one folder.
//!
//! What it answers is in `commands.rs`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use fathom_integration_tests::fixture;
use fathom_integration_tests::process::{Process, Program, Ran, assert_fails};

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_fathom-under-test"))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// What lies in a folder.
fn inside(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// A demo with a temporary folder of its own in `temporary`.
fn start(temporary: &Path, more: &[&str]) -> Process {
    let folder = text(&fixture::recording("fault-network-slow"));
    let mut arguments = vec!["demo", "--run", &folder];
    arguments.extend_from_slice(more);
    program().start_in(arguments, &[("TMPDIR", &text(temporary))])
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_there() {
        assert!(started.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Those of some signals that whoever runs the tests has not had ignored, as `nohup` does: they are ignored by what is started here too.
fn heard<'a>(signals: &[(&'a str, u32)]) -> Vec<&'a str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    let is_heard = |number: u32| mask >> (number - 1) & 1 == 0;
    let (heard, left_out): (Vec<_>, Vec<_>) = signals.iter().partition(|(_, number)| is_heard(*number));
    for (signal, _) in left_out {
        eprintln!("left out: {signal} is ignored here");
    }
    heard.into_iter().map(|(signal, _)| signal).collect()
}

/// The folder was made, keys in it, before anybody listened to signals; and of those a closed terminal and Ctrl-\ never were.
#[test]
fn demo_that_is_stopped_early_leaves_nothing_behind() {
    for signal in heard(&[("-TERM", 15), ("-HUP", 1), ("-QUIT", 3)])
        .into_iter()
        .chain(["-INT"])
    {
        let temporary = tempfile::tempdir().unwrap();
        let mut demo = start(temporary.path(), &["--pace", "--once"]);
        // As early as it can be seen.
        wait_for("a folder", || !inside(temporary.path()).is_empty() || !demo.runs());
        demo.signal(signal);
        let (code, said) = (demo.wait(), demo.said());
        assert_eq!(code, 1, "{signal}: {said}");
        assert!(said.contains("error: stopped ("), "{signal}: {said}");
        assert_eq!(inside(temporary.path()), [""; 0], "{signal}");
    }
}

#[test]
fn demo_that_is_stopped_while_it_plays_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    for signal in heard(&[("-HUP", 1), ("-QUIT", 3)]) {
        let mut demo = start(temporary.path(), &["--pace", "--once"]);
        wait_for("a store", || {
            let stores = inside(temporary.path()).into_iter();
            stores
                .map(|home| temporary.path().join(home).join("spool/t2"))
                .any(|spool| spool.is_dir())
        });
        demo.signal(signal);
        assert_eq!(demo.wait(), 1, "{signal}");
        assert_eq!(inside(temporary.path()), [""; 0], "{signal}");
    }
}

/// Another run in the same folder, or the same one without a tap, was joined with what was there: twice as many writes.
#[test]
fn demo_refuses_a_folder_of_another_run_and_takes_its_own_again() {
    let home = tempfile::tempdir().unwrap();
    let dir = text(&home.path().join("demo"));
    let run = |name: &str, more: &[&str]| -> Ran {
        let folder = text(&fixture::recording(name));
        let first = ["demo", "--once", "-o", "json", "--run", &folder, "--dir", &dir];
        program().run(first.iter().chain(more))
    };
    let first = run("fault-network-slow", &[]);
    assert_eq!(first.code, 0, "{}", first.err);
    assert_fails(
        &run("fault-network-slow", &["--without-tap", "target"]),
        2,
        &[&dir, "another run", "all taps", "another folder"],
    );
    assert_fails(&run("reads-by-hand", &[]), 2, &["fault-network-slow"]);
    assert_fails(
        &program().run(["demo", "--once", "--fleet", "--dir", &dir]),
        2,
        &["fault-network-slow"],
    );
    let again = run("fault-network-slow", &[]);
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(again.json()["joined"], first.json()["joined"]);
}

/// Of a node whose file had no row only the drive's events were said to be missing, and nothing of its bus target.
#[test]
fn node_without_a_row_is_told_as_completely_as_one_without_a_file() {
    let from = fixture::recording("fault-network-slow");
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(&from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    fs::remove_file(copy.path().join("events-t1.jsonl.zst")).unwrap();
    let missing = || {
        let ran = program().run(["replay", &text(copy.path()), "-o", "json"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let unseen = ran.json()["unseen"].clone();
        let rows = unseen["missing"].as_array().unwrap().iter();
        let rows = rows.map(|row| (row["node"].clone(), row["tap"].clone(), row["legs"].clone()));
        (rows.collect::<Vec<_>>(), unseen["warnings"].to_string())
    };
    let (without_file, _) = missing();
    fs::write(copy.path().join("events-t1.jsonl"), "").unwrap();
    let (without_row, warnings) = missing();
    assert_eq!(without_row, without_file);
    assert!(warnings.contains("there is no row in it"), "{warnings}");
}

/// `why --since 5s` was offered, and answered that nobody is to blame, since the fault had ended before; `disks` and `rdma` were offered
/// where no node had said a word of them, and answered in part. Where bytes lie nobody had said either, and yet all writes were joined by it.
#[test]
fn commands_that_a_demo_offers_have_something_to_show() {
    let folder = text(&fixture::recording("fault-slow-drive"));
    let mut demo = program().start(["demo", "--run", &folder]);
    let said = demo.said_until(|line| line.contains("Ctrl-C ends it"));
    let offered: Vec<Vec<&str>> = said
        .iter()
        .filter(|line| line.contains(" --context "))
        .map(|line| line.split_whitespace().skip(1).collect())
        .collect();
    assert!(offered.len() >= 5, "{said:?}");
    for command in &offered {
        let ran = program().run(command);
        assert_eq!(ran.code, 0, "{command:?}: {}", ran.err);
        if command[0] == "why" {
            assert!(command.contains(&"--since"), "{command:?}");
            assert!(ran.out.contains("Culprit: disk t1/disk0"), "{}", ran.out);
        }
    }
    let context = offered[0].iter().rev().take(2).rev();
    let ran = program().run(["extents", "vol0"].iter().chain(context));
    assert_eq!(ran.code, 4, "{}", ran.err);
    let says = "the map by which its writes are joined does, with ";
    assert!(ran.err.contains(says) && ran.err.contains("t0, t1, t2"), "{}", ran.err);
    assert_eq!(demo.terminate(), 0);
}

#[test]
fn what_is_named_as_a_recording_and_is_none_is_told_with_what_to_do() {
    let file = text(&fixture::recording("fault-slow-drive").join("run.json"));
    assert_fails(
        &program().run(["demo", "--once", "--run", &file]),
        2,
        &["run.json is a file", "folder of a recording"],
    );
    let empty = tempfile::tempdir().unwrap();
    let ran = program().run(["replay", &text(empty.path())]);
    assert_fails(&ran, 1, &["it has no run.json; give the folder"]);
    let own = fixture::recording("reads-by-hand");
    for entry in fs::read_dir(own).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), empty.path().join(entry.file_name())).unwrap();
    }
    let ran = program().run(["score", &text(empty.path())]);
    assert_fails(&ran, 1, &["truth.jsonl.zst", "fathom replay"]);
    // The environment named a folder that is not there, and was not heard of again.
    let mut list = program().start_in(["demo", "--list"], &[("FATHOM_CAPTURES", "/no/such/folder")]);
    assert_eq!(list.wait(), 0);
    let said = list.said();
    assert!(said.contains("FATHOM_CAPTURES names /no/such/folder"), "{said}");
}
