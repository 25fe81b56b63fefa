//! What is told after what the other side had is newer than it.

use super::*;

#[test]
fn clock_that_was_set_back_makes_no_rollup_older() {
    let own = |started_unix_ns, number| Revision {
        started_unix_ns,
        number,
    };
    let told = |before| Told {
        before,
        ..Told::default()
    };
    assert_eq!(told(None).revision(own(100, 3)), own(100, 3));
    assert_eq!(told(Some(50)).revision(own(100, 3)), own(100, 3));
    assert_eq!(
        told(Some(100)).revision(own(100, 3)),
        own(100, 3),
        "the same process again"
    );
    let set_back = told(Some(500));
    assert_eq!(set_back.revision(own(100, 3)), own(501, 3));
    assert!(set_back.revision(own(100, 4)) > set_back.revision(own(100, 3)));
}
