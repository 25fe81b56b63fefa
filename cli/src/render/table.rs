//! Tables: a header, right-aligned numbers, no lines around.

use std::borrow::Cow;

use comfy_table::{Cell, CellAlignment, Table, presets};

/// Text from elsewhere, such as a name, for a line of a terminal: control characters are shown and not obeyed.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    escape(text, char::is_control)
}

/// The same for text of many lines.
pub(crate) fn many_lines(text: &str) -> Cow<'_, str> {
    escape(text, |letter| letter.is_control() && letter != '\n')
}

fn escape(text: &str, obeyed: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if obeyed(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

/// A table whose columns are named `name` (left) or `>name` (right: numbers).
pub(crate) struct Grid {
    table: Table,
    right: Vec<bool>,
}

impl Grid {
    pub(crate) fn new(columns: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let right: Vec<bool> = columns.iter().map(|column| column.starts_with('>')).collect();
        let header = columns
            .iter()
            .zip(&right)
            .map(|(column, right)| cell(column.trim_start_matches('>'), *right));
        table.set_header(header.collect::<Vec<_>>());
        Self { table, right }
    }

    pub(crate) fn row(&mut self, values: impl IntoIterator<Item = String>) {
        let cells = values
            .into_iter()
            .zip(&self.right)
            .map(|(value, right)| cell(&value, *right));
        self.table.add_row(cells.collect::<Vec<_>>());
    }

    /// The table as lines, each indented and without spaces at its end.
    pub(crate) fn lines(&self, indent: &str) -> String {
        let text = self.table.to_string();
        text.lines()
            .map(|line| {
                format!(
                    "{indent}{}\n",
                    line.trim_end().strip_prefix(' ').unwrap_or_else(|| line.trim_end())
                )
            })
            .collect()
    }
}

fn cell(text: &str, right: bool) -> Cell {
    Cell::new(one_line(text)).set_alignment(if right {
        CellAlignment::Right
    } else {
        CellAlignment::Left
    })
}

#[cfg(test)]
mod tests;
