use super::*;

#[test]
fn a_second_start_changes_nothing() {
    init(Level::INFO);
    let before = LevelFilter::current();
    assert!(!init(Level::TRACE));
    assert_eq!(LevelFilter::current(), before);
}
