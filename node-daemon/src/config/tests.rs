//! Options win over the file, unknown keys are refused, and all faults come at once.

use super::*;

fn file(text: &str) -> (tempfile::TempDir, Options) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node.toml");
    std::fs::write(&path, text).unwrap();
    (
        directory,
        Options {
            config: Some(path),
            ..Options::default()
        },
    )
}

const WHOLE: &str = r#"
coordinator = "https://c:1"
cluster = "a"
node = "n"
ca = "ca.crt"
cert = "n.crt"
key = "n.key"
spool = "spool"
spool-size = "64 MiB"
replay = "recording"
without-tap = ["target"]
pace = 2.0
"#;

#[test]
fn options_win_over_the_file() {
    let (_directory, mut options) = file(WHOLE);
    options.node = Some("other".to_owned());
    let config = Config::resolve(options).unwrap();
    assert_eq!((config.node.as_str(), config.cluster.as_str()), ("other", "a"));
    let Source::Replay(replay) = &config.source else {
        panic!("a recording");
    };
    assert_eq!((config.spool_bytes, replay.pace), (64 << 20, Some(2.0)));
    assert_eq!(replay.without, [Tap::Target]);
}

#[test]
fn all_faults_come_at_once() {
    let faults = Config::resolve(Options {
        pace: Some(-1.0),
        batch_events: Some(0),
        ..Options::default()
    })
    .unwrap_err();
    // On Windows a daemon needs no recording: it has itself to read.
    assert_eq!(faults.0.len(), if cfg!(windows) { 9 } else { 10 }, "{faults}");
    assert!(faults.to_string().contains("give --coordinator"));
}

#[test]
fn unknown_keys_and_bad_values_are_named() {
    let (_directory, options) = file(&format!("{WHOLE}\nspool-sice = 3\n"));
    assert!(Config::resolve(options).unwrap_err().to_string().contains("spool-sice"));
    let (_directory, options) = file(&WHOLE.replace("64 MiB", "64 Mib/s"));
    assert!(Config::resolve(options).unwrap_err().to_string().contains("64 Mib/s"));
    let options = Options {
        config: Some("/does/not/exist.toml".into()),
        ..Options::default()
    };
    assert!(
        Config::resolve(options)
            .unwrap_err()
            .to_string()
            .contains("/does/not/exist.toml")
    );
}

#[test]
fn names_that_cannot_be_folders_or_stand_in_logs_are_faults() {
    let (_directory, mut options) = file(WHOLE);
    options.cluster = Some("z".repeat(300));
    options.node = Some("n\nlevel=error".to_owned());
    let faults = Config::resolve(options).unwrap_err();
    assert_eq!(
        faults.0,
        [
            "cluster has 300 bytes; a name has 1 to 80",
            "node has the control character U+000A at byte 1; a name has none"
        ]
    );
}

const LIVE: &str = r#"
coordinator = "https://c:1"
cluster = "a"
node = "n"
ca = "ca.crt"
cert = "n.crt"
key = "n.key"
spool = "spool"
source = "etw"
profile = "slow-only"

[live]
vhd-io-types = { 1 = "read", 2 = "write" }

[[live.layout]]
provider = "Microsoft-Windows-FailoverClustering-Clusport-Diagnostic"
event = 512
fields = "DeviceNumber:u32 Irp:pointer Major:u8"

[[live.disk]]
number = 5
unique-id = "8f00"
space = true

[[live.volume]]
name = 'C:\ClusterStorage\V1'
volume = "vol0"
cluster-bytes = 65536
partition-offset = 16777216
"#;

#[test]
fn what_no_source_documents_is_configured() {
    let (_directory, options) = file(LIVE);
    let config = Config::resolve(options).unwrap();
    let Source::Live(live) = &config.source else {
        panic!("a live source");
    };
    assert_eq!((live.profile, &live.from), (Profile::SlowOnly, &Origin::Etw));
    assert_eq!(live.settings.vhd_io_types.len(), 2);
    assert_eq!((live.layouts.len(), live.layouts[0].0.id), (1, 512));
    assert!(live.disks[0].is_space && live.volumes[0].cluster_bytes == 65_536);
}

#[test]
fn faults_of_live_facts_are_named() {
    let wrong = LIVE
        .replace("Irp:pointer", "Irp:pinter")
        .replace("slow-only", "slow")
        .replace("1 = ", "one = ")
        .replace(
            "[[live.volume]]",
            "[[live.disk]]\nnumber = 5\nunique-id = \"x\"\n\n[[live.volume]]",
        );
    let (_directory, options) = file(&wrong);
    let faults = Config::resolve(options).unwrap_err().to_string();
    for part in ["Irp:pinter", "`slow`", "`one`", "number 5 stands there twice"] {
        assert!(faults.contains(part), "{part}: {faults}");
    }
    let (_directory, mut options) = file(LIVE);
    options.trace = Some("x.etl".into());
    assert!(Config::resolve(options).unwrap_err().to_string().contains("one source"));
}
