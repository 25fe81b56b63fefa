use std::time::Duration;

use super::*;

fn findings() -> Vec<Finding> {
    let finding = |source, item: &str, state| Finding {
        source,
        item: item.to_owned(),
        state,
    };
    vec![
        finding(
            "replay",
            "recordings",
            State::Available("any system can play one".into()),
        ),
        finding(
            "wmi",
            r"root\wmi\ClusPort",
            State::Unavailable("there is\r\nno such class".into()),
        ),
        finding("pdh", r"\PhysicalDisk(*)", State::NoAnswer(Duration::from_secs(15))),
    ]
}

#[test]
fn each_part_has_one_line_that_says_what_it_answered() {
    let text = table(&findings());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[0],
        "replay  recordings         available: any system can play one"
    );
    assert!(
        lines[1].ends_with("unavailable: there is  no such class"),
        "{}",
        lines[1]
    );
    assert!(lines[2].contains("no answer: left after 15s"), "{}", lines[2]);
}

#[test]
fn the_document_tells_no_answer_from_unavailable() {
    let value = serde_json::to_value(document(findings())).unwrap();
    assert_eq!(value["schema"], 1);
    let states: Vec<&str> = value["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["available", "unavailable", "no_answer"]);
    assert!(value["sources"][0]["reason"].is_null() && value["sources"][1]["seen"].is_null());
}
