//! Configuration files: TOML, with faults that say where and what to do.

use std::path::Path;

use serde::de::DeserializeOwned;

/// Reads a configuration file.
///
/// # Errors
///
/// In words: the file, and why it cannot be read or which line of it is wrong.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{}: {error}; check the path, and who may read it", path.display()))?;
    parse(&text).map_err(|fault| format!("{}: {fault}", path.display()))
}

/// Takes the text of a configuration file.
///
/// # Errors
///
/// In words, on one line: which line is wrong, and what about it.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(""));
        let line = before.matches('\n').count() + 1;
        format!("line {line}: {}", error.message().trim_end().replace('\n', " "))
    })
}

#[cfg(test)]
mod tests;
