//! As much of XML as CLIXML has: elements, attributes and text. No document types, no entities but the five and numbers.

use crate::{Error, Result};

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// `<name …>`, with whether it is closed at once.
    Open {
        name: &'a str,
        attributes: Vec<(&'a str, String)>,
        empty: bool,
    },
    /// `</name>`.
    Close(&'a str),
    /// Text between, not blank.
    Text(String),
}

/// Reads a document from its begin.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) const fn wrong(&self, cause: &'static str) -> Error {
        Error::Xml { at: self.at, cause }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// Takes up to an end mark, and the mark.
    fn until(&mut self, end: &str, cause: &'static str) -> Result<&'a str> {
        let rest = self.rest();
        let length = rest.find(end).ok_or_else(|| self.wrong(cause))?;
        self.at += length + end.len();
        Ok(&rest[..length])
    }

    /// The next token; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Token<'a>>> {
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                return Ok(None);
            }
            if rest.starts_with("<?") {
                self.until("?>", "an instruction without end")?;
            } else if rest.starts_with("<!--") {
                self.until("-->", "a comment without end")?;
            } else if rest.starts_with("<!") {
                return Err(self.wrong("a document type, which CLIXML does not have"));
            } else if rest.starts_with("</") {
                self.at += 2;
                return Ok(Some(Token::Close(self.until(">", "a tag without end")?.trim())));
            } else if rest.starts_with('<') {
                return self.open().map(Some);
            } else {
                let length = rest.find('<').unwrap_or(rest.len());
                let text = unescape(&rest[..length]);
                self.at += length;
                if !text.trim().is_empty() {
                    return Ok(Some(Token::Text(text)));
                }
            }
        }
    }

    fn open(&mut self) -> Result<Token<'a>> {
        self.at += 1;
        let rest = self.rest();
        let end = rest.find(|letter: char| letter.is_whitespace() || letter == '>' || letter == '/');
        let end = end.ok_or_else(|| self.wrong("a tag without end"))?;
        let name = &rest[..end];
        self.at += end;
        let mut attributes = Vec::new();
        loop {
            let rest = self.rest();
            let skipped = rest.trim_start();
            self.at += rest.len() - skipped.len();
            if skipped.starts_with("/>") {
                self.at += 2;
                return Ok(Token::Open {
                    name,
                    attributes,
                    empty: true,
                });
            }
            if skipped.starts_with('>') {
                self.at += 1;
                return Ok(Token::Open {
                    name,
                    attributes,
                    empty: false,
                });
            }
            let key = self.until("=", "a tag without end")?.trim();
            let quote = match self.rest().chars().next() {
                Some('"') => "\"",
                Some('\'') => "'",
                _ => return Err(self.wrong("an attribute without quotes")),
            };
            self.at += 1;
            let value = self.until(quote, "an attribute without end")?;
            attributes.push((key, unescape(value)));
        }
    }
}

/// The five entities and numbers; and `_xHHHH_`, by which CLIXML writes what XML cannot hold. What is none stays.
pub(crate) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['&', '_']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (letter, length) = entity(rest).unwrap_or_else(|| (rest.chars().next(), 1));
        out.extend(letter);
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

fn entity(text: &str) -> Option<(Option<char>, usize)> {
    if let Some(inner) = text.strip_prefix("_x") {
        let digits = inner.get(..4).filter(|_| inner.as_bytes().get(4) == Some(&b'_'))?;
        return Some((Some(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?), 7));
    }
    let inner = text.strip_prefix('&')?;
    let end = inner.find(';').filter(|end| *end <= 10)?;
    let name = &inner[..end];
    let letter = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let digits = name.strip_prefix('#')?;
            let number = match digits.strip_prefix(['x', 'X']) {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(number)?
        }
    };
    Some((Some(letter), end + 2))
}
