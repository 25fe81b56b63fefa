//! Pages of lists.

use tonic::Status;

use super::status;

/// Rows in a page where nothing is said.
const PAGE: usize = 1000;

/// One page of a list that is short as a whole: by names, after the one in the token.
fn page<T>(items: Vec<(String, T)>, size: i32, token: &str) -> Result<(Vec<T>, String), Status> {
    let size = match size {
        0 => PAGE,
        size => usize::try_from(size).map_err(|_| status::invalid("page_size is negative"))?,
    };
    let mut rest = items
        .into_iter()
        .skip_while(|(name, _)| !token.is_empty() && name.as_str() <= token)
        .peekable();
    let mut taken = Vec::new();
    let mut last = String::new();
    while taken.len() < size {
        let Some((name, item)) = rest.next() else { break };
        last = name;
        taken.push(item);
    }
    let next = if rest.peek().is_some() { last } else { String::new() };
    Ok((taken, next))
}

/// The same with tokens that are known for ones of an earlier answer: another text, which would leave rows out in silence, is none.
/// `None`: the token is not one of an earlier answer.
pub(super) fn sealed_page<T>(
    items: Vec<(String, T)>,
    size: i32,
    token: &str,
) -> Option<Result<(Vec<T>, String), Status>> {
    let found = page(items, size, unsealed(token)?);
    Some(found.map(|(taken, next)| (taken, sealed(&next))))
}

/// A name with its checksum before it; nothing of nothing.
fn sealed(name: &str) -> String {
    match name {
        "" => String::new(),
        name => format!("{:08x}{name}", crc32fast::hash(name.as_bytes())),
    }
}

/// The name that a token of an earlier answer stands for, nothing of none. `None`: it is not one of an earlier answer.
pub(super) fn unsealed(token: &str) -> Option<&str> {
    if token.is_empty() {
        return Some("");
    }
    let (_, name) = token.split_at_checked(8)?;
    (!name.is_empty() && sealed(name) == token).then_some(name)
}

/// Which rows of a list are wanted, by their places in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    skip: usize,
    most: usize,
}

impl Stretch {
    pub(super) fn parse(size: i32, token: &str) -> Result<Self, Status> {
        let most = match usize::try_from(size) {
            Ok(0) => PAGE,
            Ok(most) => most,
            Err(_) => return Err(status::invalid("page_size is negative")),
        };
        let skip = match token {
            "" => 0,
            token => token
                .parse()
                .map_err(|_| status::invalid("page_token is not one of an earlier answer"))?,
        };
        Ok(Self { skip, most })
    }

    /// Its rows, and the token of the next page; empty where this is the last.
    pub(super) fn of<T>(self, rows: &[T]) -> (&[T], String) {
        let from = self.skip.min(rows.len());
        let until = self.skip.saturating_add(self.most).min(rows.len());
        let next = if until < rows.len() {
            until.to_string()
        } else {
            String::new()
        };
        (&rows[from..until], next)
    }
}

#[cfg(test)]
mod tests;
