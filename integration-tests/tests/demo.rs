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

/// A recording without the events files of some nodes.
fn without_nodes(name: &str, nodes: &[&str]) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture::recording(name)).unwrap() {
        let entry = entry.unwrap();
        let file = entry.file_name().into_string().unwrap();
        if !nodes.iter().any(|node| file == format!("events-{node}.jsonl.zst")) {
            fs::copy(entry.path(), copy.path().join(file)).unwrap();
        }
    }
    copy
}

/// `99 % sure, cost 0 ns in all` of a link that cost writes 25 s.
#[test]
fn cost_of_which_nothing_was_measured_is_not_known_in_words_and_in_json() {
    let copy = without_nodes("fault-network-slow", &["t0", "t1"]);
    let folder = text(copy.path());
    let ran = program().run(["replay", &folder, "--without-tap", "initiator"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("what it cost is not known"), "{}", ran.out);
    assert!(!ran.out.contains("cost 0 ns"), "{}", ran.out);
    let document = program()
        .run(["replay", &folder, "--without-tap", "initiator", "-o", "json"])
        .json();
    let culprit = &document["culprit"];
    assert_eq!(culprit["node"], "t2", "{culprit:#}");
    assert!(culprit.as_object().unwrap()["cost_ns"].is_null(), "{culprit:#}");
    assert!(culprit["confidence"].as_f64().unwrap() <= 0.8, "{culprit:#}");
    // What rows added up to says it too, and so does the finding.
    let mut demo = program().start(["demo", "--run", &folder, "--without-tap", "initiator"]);
    let said = demo.said_until(|line| line.contains("Ctrl-C ends it"));
    let context = said.iter().find(|line| line.contains(" --context ")).unwrap();
    let context = context.split_whitespace().last().unwrap();
    for question in [&["why", "--source", "tables"][..], &["findings"]] {
        let ran = program().run(question.iter().chain(&["--context", context]));
        assert!(
            ran.out.contains("what it cost is not known"),
            "{question:?}: {}",
            ran.out
        );
    }
    assert_eq!(demo.terminate(), 0);
}

/// Of 30 writes of 60,000 the replies were seen, and it was "100 % of those writes waited for it; 22.8 s is its own".
#[test]
fn few_replies_leave_what_a_drive_cost_a_guess() {
    let copy = without_nodes("fault-slow-drive", &["t0", "t2"]);
    let path = copy.path().join("events-i0.jsonl.zst");
    let whole = zstd::decode_all(fs::File::open(&path).unwrap()).unwrap();
    let mut legs = 0;
    let kept = whole.split_inclusive(|byte| *byte == b'\n').filter(|line| {
        let row: serde_json::Value = serde_json::from_slice(line).unwrap();
        let is_leg = row["layer"] == "initiator";
        legs += u32::from(is_leg);
        !is_leg || legs % 2000 == 1
    });
    let kept: Vec<u8> = kept.flatten().copied().collect();
    fs::write(&path, zstd::encode_all(&kept[..], 3).unwrap()).unwrap();
    let folder = text(copy.path());
    let document = program().run(["replay", &folder, "-o", "json"]).json();
    let culprit = &document["culprit"];
    assert_eq!((&culprit["kind"], &culprit["node"]), (&"disk".into(), &"t1".into()));
    let (cost, guess) = (
        culprit["cost_ns"].as_u64().unwrap(),
        culprit["guessed_ns"].as_u64().unwrap(),
    );
    assert!(guess > cost / 100 * 95 && guess <= cost, "{culprit:#}");
    let whole = text(&fixture::recording("fault-slow-drive"));
    let sure = program().run(["replay", &whole, "-o", "json"]).json()["culprit"].clone();
    assert!(
        sure["confidence"].as_f64() > culprit["confidence"].as_f64(),
        "{culprit:#}"
    );
    let ran = program().run(["replay", &folder]);
    assert!(ran.out.contains(" of it a guess, between "), "{}", ran.out);
    assert!(!ran.out.contains("% of those writes waited for it;"), "{}", ran.out);
}

#[test]
fn folder_of_recordings_that_cannot_be_listed_is_named_with_the_cause() {
    for more in [&["--once"][..], &["--list"]] {
        let ran = program().run(["demo", "--recordings", "/no/such/folder"].iter().chain(more));
        assert_fails(&ran, 1, &["/no/such/folder", "No such file or directory"]);
    }
}

#[test]
fn folder_of_somebody_else_is_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("store")).unwrap();
    let folder = text(&fixture::recording("reads-by-hand"));
    let ran = program().run(["demo", "--once", "--run", &folder, "--dir", &text(home.path())]);
    assert_fails(&ran, 2, &["has store, which no demo put there", "an empty folder"]);
    assert!(!ran.err.contains("remove"), "{}", ran.err);
    assert_eq!(inside(home.path()), ["store"]);
}

/// A shell in which another coordinator was exported was answered by that one, or by none.
#[test]
fn context_of_the_command_line_goes_before_the_environment_and_reads_are_offered_where_there_are_some() {
    let folder = text(&fixture::recording("reads-by-hand"));
    let mut demo = program().start(["demo", "--run", &folder]);
    let said = demo.said_until(|line| line.contains("Ctrl-C ends it"));
    let reads = said.iter().find(|line| line.contains(" reads --slowest 10 "));
    let reads: Vec<&str> = reads.unwrap().split_whitespace().skip(1).collect();
    let variables = [
        ("FATHOM_COORDINATOR", "https://127.0.0.1:1"),
        ("FATHOM_CLUSTER", "no-such"),
    ];
    let mut ran = program().start_in(reads.iter().copied(), &variables);
    assert_eq!(ran.wait(), 0, "{}", ran.said());
    let context = reads.last().unwrap();
    // Without a file of its own the command follows the environment.
    let other = [("FATHOM_CONTEXT", *context), variables[0]];
    let mut ran = program().start_in(["reads"], &other);
    assert_eq!(ran.wait(), 1);
    assert!(ran.said().contains("127.0.0.1:1"));
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
