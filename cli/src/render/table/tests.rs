//! Names come from elsewhere and never reach a terminal as commands.

use super::*;

#[test]
fn control_characters_are_shown_and_not_obeyed() {
    assert!(matches!(one_line("vol0 ü"), Cow::Borrowed("vol0 ü")));
    assert_eq!(one_line("a\u{1b}[31m\n\u{9b}\u{7f}"), "a\\u{1b}[31m\\n\\u{9b}\\u{7f}");
    assert_eq!(many_lines("a\n\tb\r\n"), "a\n\\tb\\r\n");
    let mut grid = Grid::new(&["node"]);
    grid.row(["n\u{1b}[2J\n".to_owned()]);
    assert_eq!(grid.lines(""), "node\nn\\u{1b}[2J\\n\n");
}
