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
    assert_eq!((config.spool_bytes, config.replay.pace), (64 << 20, Some(2.0)));
    assert_eq!(config.replay.without, [Tap::Target]);
}

#[test]
fn all_faults_come_at_once() {
    let faults = Config::resolve(Options {
        pace: Some(-1.0),
        batch_events: Some(0),
        ..Options::default()
    })
    .unwrap_err();
    assert_eq!(faults.0.len(), 10, "{faults}");
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
