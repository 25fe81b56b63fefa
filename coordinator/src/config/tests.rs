//! Options win over the file, unknown keys are refused, and all faults come at once.

use super::*;

#[test]
fn options_win_over_the_file_and_defaults_fill_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("coordinator.toml");
    std::fs::write(
        &path,
        "store = 's'\nca = 'ca'\ncert = 'c'\nkey = 'k'\nsilence = '5s'\nlateness = '100ms'\n",
    )
    .unwrap();
    let options = Options {
        config: Some(path),
        silence: Some("7s".parse().unwrap()),
        ..Options::default()
    };
    let config = Config::resolve(options).unwrap();
    assert_eq!(config.ingest.silence, Duration::from_secs(7));
    assert_eq!(config.ingest.join.lateness_nanos, 100_000_000);
    assert_eq!(config.ingest.commit_bytes, 64 << 20);
    assert_eq!(config.listen.to_string(), "127.0.0.1:7443");
}

#[test]
fn all_faults_come_at_once() {
    let options = Options {
        lateness: Some("1h".parse().unwrap()),
        memory_events: Some(5),
        ..Options::default()
    };
    let faults = Config::resolve(options).unwrap_err();
    assert_eq!(faults.0.len(), 6, "{faults}");
}

#[test]
fn objectives_stand_in_the_file_and_there_is_one_where_none_does() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("coordinator.toml");
    let of = |more: &str| {
        std::fs::write(&path, format!("store = 's'\nca = 'ca'\ncert = 'c'\nkey = 'k'\n{more}")).unwrap();
        Config::resolve(Options {
            config: Some(path.clone()),
            ..Options::default()
        })
    };
    let default = &of("").unwrap().ingest.objectives[0];
    assert_eq!((default.up_to_bytes, default.below_ns), (4096, 2_000_000));
    let own =
        of("[[objective]]\nname = 'sql'\nvolume = 'vol1'\nup-to = '64 KiB'\nbelow = '500us'\npercentile = 99.9\n");
    let own = own.unwrap().ingest.objectives;
    assert_eq!(
        own,
        [Objective {
            name: "sql".to_owned(),
            volume: Some("vol1".to_owned()),
            up_to_bytes: 65536,
            percentile: 99.9,
            below_ns: 500_000,
        }]
    );
    let twice = "[[objective]]\nname = 'a'\npercentile = 100\n[[objective]]\nname = 'a'\n";
    let faults = of(twice).unwrap_err();
    assert_eq!(faults.0.len(), 2, "{faults}");
}

#[test]
fn unknown_keys_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("coordinator.toml");
    std::fs::write(&path, "stoer = 's'\n").unwrap();
    let faults = Config::resolve(Options {
        config: Some(path),
        ..Options::default()
    })
    .unwrap_err();
    assert!(faults.to_string().contains("stoer"), "{faults}");
}
