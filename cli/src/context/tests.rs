//! What `--cluster` and `--site` mean.

use super::*;

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn names_patterns_labels_and_saved_selections() {
    let saved = BTreeMap::from([("gold".to_owned(), texts(&["berlin/*,tier=gold", "oslo/*"]))]);
    let of = |terms: &[&str], sites: &[&str]| meant(&texts(terms), &texts(sites), &saved);
    assert_eq!(of(&[], &[]).unwrap(), Meant::One(String::new()));
    assert_eq!(of(&["berlin/c1"], &[]).unwrap(), Meant::One("berlin/c1".to_owned()));
    let selection = |terms: &[&str], sites: &[&str]| {
        Meant::Several(wire::Selection {
            terms: texts(terms),
            sites: texts(sites),
        })
    };
    assert_eq!(of(&["c*"], &[]).unwrap(), selection(&["c*"], &[]));
    assert_eq!(of(&["c1", "c2"], &[]).unwrap(), selection(&["c1", "c2"], &[]));
    assert_eq!(of(&["c1"], &["berlin"]).unwrap(), selection(&["c1"], &["berlin"]));
    assert_eq!(of(&["country=de"], &[]).unwrap(), selection(&["country=de"], &[]));
    assert_eq!(
        of(&["@gold", "x*"], &[]).unwrap(),
        selection(&["berlin/*,tier=gold", "oslo/*", "x*"], &[])
    );
    // What does not stand in the file the coordinator knows, or refuses.
    assert_eq!(
        of(&["@silver", "c1", "@silver"], &["oslo"]).unwrap(),
        selection(&["@silver", "c1"], &["oslo"])
    );
}

#[test]
fn default_cluster_is_overridden_by_whoever_says_which_he_means() {
    let file = ContextFile {
        cluster: Some("of-environment".to_owned()),
        ..ContextFile::default()
    };
    let meant = |connection: Connection| connection.meant_by(&file).unwrap();
    let one = |name: &str| Meant::One(name.to_owned());
    assert_eq!(meant(Connection::default()), one("of-environment"));
    assert_eq!(
        meant(Connection {
            cluster: texts(&["c1"]),
            ..Connection::default()
        }),
        one("c1")
    );
    assert_eq!(
        meant(Connection {
            all_clusters: true,
            ..Connection::default()
        }),
        Meant::Several(wire::Selection::default())
    );
    assert_eq!(
        meant(Connection {
            site: texts(&["berlin"]),
            ..Connection::default()
        }),
        Meant::Several(wire::Selection {
            sites: texts(&["berlin"]),
            ..wire::Selection::default()
        })
    );
}

/// What a shell had exported for one coordinator was asked of it, whichever context a command named.
#[test]
fn file_named_on_the_command_line_goes_before_the_environment_and_the_environment_before_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let (named, other) = (folder.path().join("named.toml"), folder.path().join("other.toml"));
    std::fs::write(
        &named,
        "coordinator = \"https://named:1\"\ncluster = \"named\"\nkey = \"named.key\"\n",
    )
    .unwrap();
    std::fs::write(
        &other,
        "coordinator = \"https://other:1\"\ncluster = \"other\"\ncert = \"other.crt\"\n[selections]\ngold = [\"c*\"]\n",
    )
    .unwrap();
    let with = |context: Option<&Path>, variables: &[(&str, &str)]| {
        let connection = Connection {
            context: context.map(Path::to_owned),
            ..Connection::default()
        };
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name)?;
            Some(OsString::from(found.1))
        };
        connection.file_in(variable).unwrap()
    };
    let variables = [
        ("FATHOM_COORDINATOR", "https://environment:1"),
        ("FATHOM_CLUSTER", "environment"),
        ("FATHOM_CA", "environment.crt"),
        ("FATHOM_KEY", "environment.key"),
        ("FATHOM_CONTEXT", other.to_str().unwrap()),
    ];
    let file = with(Some(&named), &variables);
    assert_eq!(file.coordinator.as_deref(), Some("https://named:1"));
    assert_eq!(file.cluster.as_deref(), Some("named"));
    assert_eq!(file.key, Some(folder.path().join("named.key")));
    // What it does not say the environment does.
    assert_eq!(file.ca, Some("environment.crt".into()));
    let file = with(None, &variables);
    assert_eq!(file.coordinator.as_deref(), Some("https://environment:1"));
    assert_eq!(file.cluster.as_deref(), Some("environment"));
    assert_eq!(file.cert, Some(folder.path().join("other.crt")));
    assert_eq!(file.selections.len(), 1);
    // Empty is not said.
    let file = with(None, &[("FATHOM_CLUSTER", ""), variables[4]]);
    assert_eq!(file.cluster.as_deref(), Some("other"));
}

/// No terms are all clusters on the wire: an empty selection once asked every cluster of the fleet.
#[test]
fn empty_selection_is_refused() {
    let saved = BTreeMap::from([("gold".to_owned(), Vec::new()), ("all".to_owned(), texts(&["@gold"]))]);
    for (term, sites) in [("@gold", &[][..]), ("@gold", &["berlin"][..]), ("@all", &[])] {
        let error = meant(&texts(&[term]), &texts(sites), &saved).unwrap_err();
        assert!(matches!(error, Error::EmptySelection { .. }), "{error}");
        assert_eq!(error.code(), crate::exit::Code::Usage);
    }
}

/// `@other` in a selection was once sent as a name, which nothing has.
#[test]
fn selections_may_have_others_in_them_and_not_themselves() {
    let saved = BTreeMap::from([
        ("gold".to_owned(), texts(&["berlin/*,tier=gold", "oslo/*"])),
        ("more".to_owned(), texts(&["@gold", "x1", "@gold"])),
        ("one".to_owned(), texts(&["@two"])),
        ("two".to_owned(), texts(&["c1", "@one"])),
        ("mixed".to_owned(), texts(&["env=prod,@gold"])),
    ]);
    let of = |term: &str| meant(&texts(&[term, "x1"]), &[], &saved);
    assert_eq!(
        of("@more").unwrap(),
        Meant::Several(wire::Selection {
            terms: texts(&["berlin/*,tier=gold", "oslo/*", "x1"]),
            ..wire::Selection::default()
        })
    );
    let cycle = of("@one").unwrap_err().to_string();
    assert!(cycle.contains("@one -> @two -> @one"), "{cycle}");
    let own = of("@two").unwrap_err().to_string();
    assert!(own.contains("@two -> @one -> @two"), "{own}");
    for term in ["@mixed", "@gold,env=prod", "env=prod, @gold"] {
        let mixed = of(term).unwrap_err().to_string();
        assert!(mixed.contains("stands alone"), "{mixed}");
    }
}
