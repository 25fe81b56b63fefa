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

/// Options with what every coordinator needs.
fn complete(fleet: FleetOptions) -> Options {
    Options {
        store: Some("s".into()),
        ca: Some("ca".into()),
        cert: Some("c".into()),
        key: Some("k".into()),
        fleet,
        ..Options::default()
    }
}

#[test]
fn labels_that_a_fleet_would_not_take_are_refused_before() {
    let some = |count: usize| (0..count).map(|at| (format!("key{at}"), "value".to_owned())).collect();
    let of_cluster = |count: usize| {
        let label = |at| ("c1".to_owned(), format!("own{at}"), "value".to_owned());
        (0..count).map(label).collect::<Vec<_>>()
    };
    let faults = |labels, cluster_labels| {
        let fleet = FleetOptions {
            fleet: Some("https://f:1".to_owned()),
            site: Some("berlin".to_owned()),
            labels,
            cluster_labels,
            ..FleetOptions::default()
        };
        Config::resolve(complete(fleet)).err().map(|faults| faults.to_string())
    };
    assert_eq!(faults(some(32), Vec::new()), None);
    assert_eq!(faults(some(20), of_cluster(12)), None);
    // What says the same key anew is no more of them.
    let again = vec![("c1".to_owned(), "key0".to_owned(), "other".to_owned())];
    assert_eq!(faults(some(32), again), None);
    assert!(
        faults(some(33), Vec::new())
            .unwrap()
            .contains("33 labels, and 32 is the most")
    );
    let together = faults(some(20), of_cluster(13)).unwrap();
    assert!(
        together.contains("cluster c1 has 33 labels with those of its site"),
        "{together}"
    );
    let long = faults(vec![("room".to_owned(), "x".repeat(257))], Vec::new()).unwrap();
    assert!(
        long.contains("label `room=") && long.contains("1 to 256 bytes"),
        "{long}"
    );
}

#[test]
fn site_has_its_labels_and_its_policy_from_file_and_options() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("coordinator.toml");
    let text = "[fleet]\njoin = 'https://f:1'\nsite = 'berlin'\nlabels = { country = 'de', tier = 'gold' }\n\
                allow = ['read', 'remarks']\nmax-bytes = '1 MiB'\ncluster-labels.c1.room = '7'\n";
    std::fs::write(&path, text).unwrap();
    let options = Options {
        config: Some(path),
        ..complete(FleetOptions {
            labels: vec![("tier".to_owned(), "silver".to_owned())],
            cluster_labels: vec![("c1".to_owned(), "rack".to_owned(), "2".to_owned())],
            fleet_max_rows: Some(7),
            ..FleetOptions::default()
        })
    };
    let fleet = Config::resolve(options).unwrap().fleet;
    assert_eq!((fleet.site.as_str(), fleet.role), ("berlin", Role::Coordinator));
    assert_eq!(fleet.labels["tier"], "silver");
    assert_eq!(fleet.labels["country"], "de");
    assert_eq!(fleet.cluster_labels["c1"].len(), 2);
    let uplink = fleet.uplink.unwrap();
    assert_eq!(
        (uplink.address.as_str(), uplink.ca.as_os_str()),
        ("https://f:1", "ca".as_ref())
    );
    let policy = Policy {
        allows: [Group::Read, Group::Remarks].into(),
        max_rows: 7,
        max_answer_bytes: 1 << 20,
        ..Policy::default()
    };
    assert_eq!(uplink.policy, policy);
}

#[test]
fn faults_of_the_fleet_say_what_to_do() {
    let faults = |fleet: FleetOptions| Config::resolve(complete(fleet)).unwrap_err().to_string();
    let join = || Some("https://f:1".to_owned());
    let no_name = faults(FleetOptions {
        fleet: join(),
        ..FleetOptions::default()
    });
    assert!(no_name.contains("give --site"), "{no_name}");
    let both = faults(FleetOptions {
        fleet: join(),
        site: Some("a".to_owned()),
        role: Some(Role::Fleet),
        ..FleetOptions::default()
    });
    assert!(both.contains("exclude each other"), "{both}");
    let odd = faults(FleetOptions {
        fleet: Some("http://f".to_owned()),
        site: Some("a/b".to_owned()),
        fleet_max_rows: Some(0),
        ..FleetOptions::default()
    });
    assert!(
        odd.contains("a/b") && odd.contains("http://f") && odd.contains("more than 0"),
        "{odd}"
    );
}
