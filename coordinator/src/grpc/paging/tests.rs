//! Pages go on where the one before ended, and a text that was never a token is refused.

use super::*;

fn items() -> Vec<(String, u32)> {
    (0..5).map(|number| (format!("site\0c{number}"), number)).collect()
}

#[test]
fn pages_come_one_after_the_other_and_whole() {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let (some, next) = sealed_page(items(), 2, &token).unwrap().unwrap();
        assert!(some.len() <= 2);
        all.extend(some);
        if next.is_empty() {
            break;
        }
        token = next;
    }
    assert_eq!(all, [0, 1, 2, 3, 4]);
    assert!(sealed_page(items(), -1, "").unwrap().is_err());
}

#[test]
fn text_that_was_never_a_token_leaves_nothing_out_in_silence() {
    let (_, token) = sealed_page(items(), 2, "").unwrap().unwrap();
    for garbage in [
        "zzz",
        "garbage",
        "00000000",
        "00000000site\0c1",
        "ünïcode12",
        &token[..10],
        &format!("{token}x"),
    ] {
        assert!(sealed_page(items(), 2, garbage).is_none(), "{garbage}");
    }
}
