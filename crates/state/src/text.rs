//! Objects from what cmdlets print: lists (`Name : value`) and tables (a line of dashes under the names).
//!
//! It is the poorest source: numbers are rounded, values are cut off, and columns have names for people. What was cut off or rounded is
//! said so and not guessed. Reports of the support module and tables of a cluster's validation are texts too (`report`, `cells`).

use crate::bag::{Bag, Raw};

mod cells;
mod qos;
mod report;

/// Why a value that ends with dots is not read.
const CUT_OFF: &str = "cut off where it was printed";

/// Most lines over which the names of columns are broken.
const MOST_HEADS: usize = 4;

/// The objects of a text; none where it holds neither a list nor a table.
#[must_use]
pub fn bags(text: &str) -> Vec<Bag> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut bags = if report::is_one(&lines) {
        report::bags(&lines)
    } else {
        let mut bags = cells::bags(&lines);
        bags.extend(plain(&lines));
        bags
    };
    bags.iter_mut().for_each(Bag::find_out);
    bags
}

/// Lists and tables, in their order.
fn plain(lines: &[&str]) -> Vec<Bag> {
    let mut bags = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if let Some(columns) = columns(lines[at]).filter(|_| at > 0 && !lines[at - 1].trim().is_empty()) {
            let is_row = |line: &&&str| !line.trim().is_empty() && list_entry(line).is_none();
            let rows: Vec<&str> = lines[at + 1..].iter().take_while(is_row).copied().collect();
            // Long names are broken over several lines.
            let heads = lines[..at].iter().rev().take_while(is_row).take(MOST_HEADS);
            let mut heads: Vec<&str> = heads.copied().collect();
            heads.reverse();
            bags.extend(table(&heads, &columns, &rows));
            at += 1 + rows.len();
        } else if list_entry(lines[at]).is_some() {
            let until = list_end(lines, at);
            bags.extend(list(&lines[at..until]).map(qos::with_settings));
            at = until;
        } else {
            at += 1;
        }
    }
    bags
}

/// Where the list that begins at a line ends. An indented block may have blank lines behind it, and the list goes on: with more of the
/// block, or with a name in the same column that the list does not have yet.
fn list_end(lines: &[&str], from: usize) -> usize {
    let is_blank = |line: &&&str| line.trim().is_empty();
    let is_indented = |line: &str| line.starts_with([' ', '\t']);
    let mut until = from;
    loop {
        until += lines[until..].iter().take_while(|line| !is_blank(line)).count();
        let next = until + lines[until..].iter().take_while(is_blank).count();
        let (Some(line), Some(last)) = (lines.get(next), lines[from..until].last()) else {
            return until;
        };
        let goes_on = match list_entry(line) {
            None => is_indented(line),
            Some((name, _)) => {
                let mut own = lines[from..until].iter().filter_map(|line| list_entry(line));
                line.find(':') == lines[from].find(':') && own.all(|(own, _)| own != name)
            }
        };
        if !(is_indented(last) && goes_on) {
            return until;
        }
        until = next;
    }
}

/// Where the dashes are, in letters from the line's begin.
fn columns(line: &str) -> Option<Vec<(usize, usize)>> {
    let letters: Vec<char> = line.chars().collect();
    if !letters.contains(&'-') || letters.iter().any(|letter| *letter != '-' && *letter != ' ') {
        return None;
    }
    let mut columns = Vec::new();
    let mut begin = None;
    for (at, letter) in letters.iter().chain([&' ']).enumerate() {
        match (letter, begin) {
            ('-', None) => begin = Some(at),
            (' ', Some(from)) => {
                columns.push((from, at));
                begin = None;
            }
            _ => {}
        }
    }
    Some(columns)
}

fn table(heads: &[&str], columns: &[(usize, usize)], rows: &[&str]) -> Vec<Bag> {
    let letters: Vec<Vec<char>> = rows.iter().map(|row| row.chars().collect()).collect();
    let is_blank = |row: &[char], at: usize| row.get(at).is_none_or(|letter| *letter == ' ');
    // Between two names the border is where every row has a blank; else where this row has the last one before the next name.
    let borders: Vec<Option<usize>> = columns
        .windows(2)
        .map(|pair| {
            let mut between = (pair[0].1.saturating_sub(1)..pair[1].0).rev();
            between.find(|&at| at >= pair[0].1 && letters.iter().all(|row| is_blank(row, at)))
        })
        .collect();
    let name = |(from, until): (usize, usize)| -> String {
        let parts = heads
            .iter()
            .map(|head| head.chars().skip(from).take(until - from).collect::<String>());
        parts.map(|part| part.trim().to_owned()).collect()
    };
    let bags: Vec<Bag> = letters
        .iter()
        .map(|row| {
            let mut bag = Bag::default();
            let mut from = 0;
            for (column, span) in columns.iter().enumerate() {
                let until = match borders.get(column) {
                    None => row.len(),
                    Some(Some(border)) => *border,
                    Some(None) => {
                        let next = columns[column + 1].0;
                        (span.0..next).rev().find(|&at| is_blank(row, at)).unwrap_or(next)
                    }
                };
                let text: String = row.iter().take(until).skip(from).collect();
                bag.set_column(&name(*span), value(text.trim()));
                from = until.max(from);
            }
            bag
        })
        .collect();
    let names: Vec<String> = columns.iter().map(|span| name(*span)).collect();
    if names == ["Name", "Value"] { turned(bags) } else { bags }
}

/// A table of names and values is one object.
fn turned(rows: Vec<Bag>) -> Vec<Bag> {
    let mut bag = Bag::default();
    for mut row in rows {
        if let (Some(name), Some(value)) = (row.text("Name"), row.take("Value")) {
            bag.set(&name, value);
        }
    }
    if bag.is_empty() { Vec::new() } else { vec![bag] }
}

/// `Name : value`, with the name's column; not a line that goes on from the one before.
fn list_entry(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(" :").or_else(|| line.split_once(':'))?;
    let name = name.trim_end();
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    (!name.is_empty() && name.chars().all(is_name)).then(|| (name, value.trim()))
}

fn list(lines: &[&str]) -> Option<Bag> {
    let mut bag = Bag::default();
    let mut last: Option<(&str, String)> = None;
    let put = |last: &mut Option<(&str, String)>, bag: &mut Bag| {
        if let Some((name, text)) = last.take() {
            bag.set(name, value(text.trim()));
        }
    };
    for line in lines {
        match list_entry(line) {
            Some((name, text)) => {
                put(&mut last, &mut bag);
                last = Some((name, text.to_owned()));
            }
            None if line.trim().is_empty() => {}
            None => {
                if let Some((_, text)) = &mut last {
                    text.push('\n');
                    text.push_str(line.trim());
                }
            }
        }
    }
    put(&mut last, &mut bag);
    (!bag.is_empty()).then_some(bag)
}

/// What a printed value stands for. Everything stays a text but lists in braces: types come with the decoding.
pub(crate) fn value(text: &str) -> Raw {
    if text.is_empty() {
        return Raw::Null;
    }
    if let Some(inner) = text.strip_prefix('{') {
        let Some(inner) = inner.strip_suffix('}') else {
            return Raw::Broken(CUT_OFF);
        };
        let mut items: Vec<Raw> = inner.split(',').map(|item| value(item.trim())).collect();
        if inner.trim_end().ends_with("...") || inner.ends_with('…') {
            items.pop();
            items.push(Raw::Broken(CUT_OFF));
        }
        return Raw::List(if inner.trim().is_empty() { Vec::new() } else { items });
    }
    if text.ends_with("...") || text.ends_with('…') {
        return Raw::Broken(CUT_OFF);
    }
    Raw::Text(text.to_owned())
}
