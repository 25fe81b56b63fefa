use proptest::prelude::*;

use super::*;

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    owned.collect()
}

fn has(terms: &[&str], sites: &[&str], cluster: &str) -> bool {
    let selection = Selection::parse(terms, sites).expect("it is a selection");
    let key = ClusterKey::new("berlin", cluster);
    selection.has(&key, &labels(&[("env", "prod"), ("rack", "5")]))
}

#[test]
fn clusters_are_named_by_globs_labels_and_sites() {
    for (terms, sites, is_in) in [
        (&[][..], &[][..], true),
        (&["c7"], &[], true),
        (&["C7"], &[], false),
        (&["c"], &[], false),
        (&["c*"], &[], true),
        (&["*7"], &[], true),
        (&["c?"], &[], true),
        (&["c??"], &[], false),
        (&["x*", "c7"], &[], true),
        (&["berlin/c7"], &[], true),
        (&["ber*/*"], &[], true),
        (&["paris/c7"], &[], false),
        (&["env=prod"], &[], true),
        (&["label=env=prod"], &[], true),
        (&["label=prod"], &[], false),
        (&["env=p*"], &[], true),
        (&["env=test"], &[], false),
        (&["tier=*"], &[], false),
        (&["env=prod,rack=5"], &[], true),
        (&["env=prod,rack=6"], &[], false),
        (&["c*,env=prod"], &[], true),
        (&["c7"], &["berlin"], true),
        (&["c7"], &["paris", "b*"], true),
        (&["c7"], &["paris"], false),
    ] {
        assert_eq!(has(terms, sites, "c7"), is_in, "{terms:?} {sites:?}");
    }
    assert!(Selection::all().is_all() && Selection::all().may_have_site("x"));
    let one = Selection::one(&ClusterKey::new("berlin", "c7"));
    assert!(one.has(&ClusterKey::new("berlin", "c7"), &BTreeMap::new()));
    assert!(!one.has(&ClusterKey::new("paris", "c7"), &BTreeMap::new()));
    assert!(one.may_have_site("berlin") && !one.may_have_site("paris"));
}

/// A cluster that is called `x=y` could once be selected by nothing but a pattern that others fit too.
#[test]
fn name_with_a_comma_an_equals_sign_or_a_slash_is_selected_by_the_whole_of_it() {
    let none = BTreeMap::new();
    for name in ["x=y", "a,b", "a/b"] {
        let key = ClusterKey::new("berlin", name);
        let of_site = format!("berlin/{name}");
        for (term, sites, is_in) in [
            (name, &[][..], true),
            (of_site.as_str(), &[][..], true),
            (name, &["oslo"], false),
            ("oslo/x=y", &[], false),
        ] {
            let selection = Selection::parse(&[term], sites).unwrap();
            assert_eq!(selection.has(&key, &none), is_in, "{term} {sites:?} {name}");
        }
        assert!(!Selection::parse(&["x=z,a,b"], &[] as &[&str]).unwrap().has(&key, &none));
    }
}

#[test]
fn what_selects_nothing_that_could_be_is_refused_with_what_to_write() {
    for bad in ["", ",", "c7,", "/c7", "berlin/", "=prod", "a\nb"] {
        let error = Selection::parse(&[bad], &[] as &[&str]).expect_err("it is refused");
        assert!(error.to_string().len() > 20, "{bad}");
    }
    assert!(Selection::parse(&["x".repeat(600)], &[] as &[&str]).is_err());
    assert!(Selection::parse(&vec!["x"; 1001], &[] as &[&str]).is_err());
    assert!(Selection::parse(&["x"], &[""]).is_err());
}

/// The definition, slowly: a star takes nothing or one character more.
fn defined(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), None) => defined(rest, text),
        (Some(('*', rest)), Some((_, less))) => defined(rest, text) || defined(pattern, less),
        (Some((own, rest)), Some((other, less))) => (*own == '?' || own == other) && defined(rest, less),
        _ => false,
    }
}

proptest! {
    #[test]
    fn globs_are_what_they_are_defined_to_be(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(fits(&pattern, &text), defined(&chars(&pattern), &chars(&text)));
    }
}
