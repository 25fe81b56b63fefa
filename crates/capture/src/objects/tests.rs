//! Objects are read as serde reads them; a sequence is none, at any depth.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize, PartialEq)]
struct Outer<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    inner: Vec<Inner>,
    #[serde(default)]
    maybe: Option<Inner>,
    #[serde(default)]
    named: BTreeMap<String, Inner>,
    #[serde(default)]
    any: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Inner {
    number: i64,
    #[serde(default)]
    share: f64,
}

#[test]
fn objects_are_read_as_serde_reads_them() {
    let texts = [
        r#" {"name":"plain","inner":[{"number":-3,"share":0.5},{"number":9223372036854775807}]} "#,
        r#"{"name":"esc\"aped","inner":[],"maybe":{"number":1},"named":{"a":{"number":2}},"any":[1,{"b":[null,true]}],"more":[[]]}"#,
    ];
    for text in texts {
        let read: Outer<'_> = from_str(text).unwrap();
        assert_eq!(read, serde_json::from_str(text).unwrap());
    }
    let read: Outer<'_> = from_str(texts[0]).unwrap();
    assert!(matches!(read.name, Cow::Borrowed("plain")));
}

#[test]
fn sequences_are_no_structs_at_any_depth() {
    let texts = [
        r#"["a",[]]"#,
        r#"{"name":"a","inner":[[1,0.5]]}"#,
        r#"{"name":"a","inner":[],"maybe":[1,0.5]}"#,
        r#"{"name":"a","inner":[],"named":{"a":[1,0.5]}}"#,
    ];
    for text in texts {
        assert!(serde_json::from_str::<Outer<'_>>(text).is_ok(), "serde takes {text}");
        let error = from_str::<Outer<'_>>(text).unwrap_err().to_string();
        assert!(error.contains("invalid type: sequence, expected"), "{error}");
        assert!(error.contains("line 1 column"), "{error}");
    }
}

#[test]
fn what_follows_a_value_is_a_fault() {
    let error = from_str::<Outer<'_>>(r#"{"name":"a","inner":[]} {}"#).unwrap_err();
    assert!(error.to_string().contains("trailing characters"), "{error}");
}
