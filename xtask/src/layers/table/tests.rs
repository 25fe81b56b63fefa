//! The table against itself.

use super::*;

#[test]
fn every_name_in_a_rule_has_a_row() {
    let imports = TABLE.iter().flat_map(|row| row.may);
    let knowing = KNOWLEDGE.iter().flat_map(|rule| match rule.who {
        Who::Only(names) | Who::AllBut(names) => names,
    });
    for name in imports.chain(knowing) {
        assert!(row(name).is_some(), "{name} has no row");
    }
}

#[test]
fn no_row_leads_back_to_itself() {
    fn longest_chain(row: &Row, depth: usize) -> usize {
        assert!(depth <= TABLE.len(), "{} leads back to itself", row.name);
        let below = row.may.iter().filter_map(|name| super::row(name));
        below.map(|to| 1 + longest_chain(to, depth + 1)).max().unwrap_or(0)
    }
    for row in TABLE {
        longest_chain(row, 0);
    }
}

#[test]
fn no_row_leads_up() {
    for from in TABLE {
        for to in from.may.iter().filter_map(|name| row(name)) {
            assert!(to.layer <= from.layer, "{} leads up to {}", from.name, to.name);
        }
    }
}
