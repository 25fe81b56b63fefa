//! Requests as bytes: which cluster one is about, and where one message of an answer ends and the next begins.
//!
//! Every request of `fathom.query.v1` and `fathom.control.v1` that is about a cluster has its name in field 1. So one piece of code sends
//! all of them on, those of later versions too, without knowing any. Not a decoder: whoever answers decodes, and says what is wrong.

use bytes::{Buf, Bytes, BytesMut};

/// gRPC's flag and length before each message.
pub(crate) const HEAD: usize = 5;

/// The field of a request that names its cluster, and the tag that it has as a text.
const CLUSTER: u64 = 1;
const CLUSTER_TAG: u8 = 0x0a;

/// A request that is no protobuf message, or none with a name in field 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// It ends within a field.
    #[error("the request ends within a field")]
    Cut,
    /// A kind of field that there is not.
    #[error("the request is no protobuf message")]
    Kind,
    /// The name is no text.
    #[error("the cluster's name is no UTF-8 text")]
    Text,
    /// The message is compressed.
    #[error("the request is compressed; send it as it is")]
    Compressed,
    /// There is none, or more than one.
    #[error("one request message is wanted, not {messages}")]
    Messages {
        /// How many there are.
        messages: usize,
    },
}

/// A field of a message.
struct Field<'a> {
    number: u64,
    /// What stands in it, where it has a length.
    bytes: Option<&'a [u8]>,
    /// All of it, with its tag.
    whole: &'a [u8],
}

/// The fields of a message, in their order.
struct Fields<'a>(&'a [u8]);

fn varint(bytes: &mut &[u8]) -> Result<u64, Fault> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Fault::Cut)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Fault::Kind)
}

fn skip<'a>(bytes: &mut &'a [u8], count: u64) -> Result<&'a [u8], Fault> {
    let count = usize::try_from(count).map_err(|_| Fault::Cut)?;
    let (skipped, rest) = bytes.split_at_checked(count).ok_or(Fault::Cut)?;
    *bytes = rest;
    Ok(skipped)
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let begun = self.0;
        let mut next = || {
            let tag = varint(&mut self.0)?;
            let bytes = match tag & 7 {
                0 => varint(&mut self.0).map(|_| None)?,
                1 => skip(&mut self.0, 8).map(|_| None)?,
                2 => {
                    let length = varint(&mut self.0)?;
                    Some(skip(&mut self.0, length)?)
                }
                5 => skip(&mut self.0, 4).map(|_| None)?,
                _ => return Err(Fault::Kind),
            };
            Ok(Field {
                number: tag >> 3,
                bytes,
                whole: &begun[..begun.len() - self.0.len()],
            })
        };
        let field = next();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// The cluster that a request names; empty where it names none.
pub(crate) fn cluster(message: &[u8]) -> Result<String, Fault> {
    let mut name: &[u8] = &[];
    for field in Fields(message) {
        let field = field?;
        // Of a field that stands there twice the last counts.
        if let (CLUSTER, Some(bytes)) = (field.number, field.bytes) {
            name = bytes;
        }
    }
    String::from_utf8(name.to_vec()).map_err(|_| Fault::Text)
}

/// The same request about a cluster of another name.
pub(crate) fn about(message: &[u8], cluster: &str) -> Result<Bytes, Fault> {
    let mut changed = BytesMut::with_capacity(message.len() + cluster.len() + 8);
    if !cluster.is_empty() {
        changed.extend_from_slice(&[CLUSTER_TAG]);
        let mut length = cluster.len();
        while length >= 0x80 {
            changed.extend_from_slice(&[(length & 0x7f) as u8 | 0x80]);
            length >>= 7;
        }
        changed.extend_from_slice(&[length as u8]);
        changed.extend_from_slice(cluster.as_bytes());
    }
    for field in Fields(message) {
        let field = field?;
        if field.number != CLUSTER {
            changed.extend_from_slice(field.whole);
        }
    }
    Ok(changed.freeze())
}

/// How many elements the first field of an answer has: of every list that is its rows.
pub(crate) fn rows(message: &[u8]) -> u64 {
    // What cannot be read has no rows that could be counted; it is the asker's to refuse.
    Fields(message)
        .map_while(Result::ok)
        .filter(|field| field.number == 1 && field.bytes.is_some())
        .count() as u64
}

/// The one message of a request's body.
pub(crate) fn only_message(mut body: Bytes) -> Result<Bytes, Fault> {
    let mut only = None;
    let mut messages = 0;
    while !body.is_empty() {
        if body.len() < HEAD {
            return Err(Fault::Cut);
        }
        if body.get_u8() != 0 {
            return Err(Fault::Compressed);
        }
        let length = body.get_u32() as usize;
        if body.len() < length {
            return Err(Fault::Cut);
        }
        only = Some(body.split_to(length));
        messages += 1;
    }
    only.filter(|_| messages == 1).ok_or(Fault::Messages { messages })
}

/// A message as the body of a request.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut body = BytesMut::with_capacity(HEAD + message.len());
    body.extend_from_slice(&[0]);
    // A message has passed a limit far below four GiB.
    body.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    body.extend_from_slice(message);
    body.freeze()
}

/// Counts the rows of an answer while it passes, however its messages are cut into pieces.
#[derive(Debug, Default)]
pub(crate) struct RowCount {
    /// What of a message has come.
    begun: BytesMut,
    rows: u64,
}

impl RowCount {
    /// Takes the next piece; how many rows there are up to its end.
    pub(crate) fn add(&mut self, piece: &[u8]) -> u64 {
        self.begun.extend_from_slice(piece);
        while let Some((head, rest)) = self.begun.split_first_chunk::<HEAD>() {
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let Some(message) = rest.get(..length) else { break };
            self.rows += rows(message);
            self.begun.advance(HEAD + length);
        }
        self.rows
    }
}

/// Cuts an answer into pieces of its messages, however it is cut into frames.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    begun: BytesMut,
    /// What is left of the message that was begun; `None`: the next one begins with its head.
    left: Option<usize>,
}

impl Pieces {
    /// Takes what came.
    pub(crate) fn add(&mut self, frame: &[u8]) {
        self.begun.extend_from_slice(frame);
    }

    /// The next piece, at most so large, and whether its message goes on after it; `None` where more has to come first.
    pub(crate) fn next(&mut self, most: usize) -> Result<Option<(Bytes, bool)>, Fault> {
        let left = match self.left {
            Some(left) => left,
            None => {
                let Some(head) = self.begun.first_chunk::<HEAD>() else {
                    return Ok(None);
                };
                if head[0] != 0 {
                    return Err(Fault::Compressed);
                }
                let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
                self.begun.advance(HEAD);
                *self.left.insert(length)
            }
        };
        let size = left.min(most);
        if self.begun.len() < size {
            return Ok(None);
        }
        let continues = left > size;
        self.left = continues.then(|| left - size);
        Ok(Some((self.begun.split_to(size).freeze(), continues)))
    }

    /// Whether all that came was given out, and nothing is begun.
    pub(crate) fn is_whole(&self) -> bool {
        self.begun.is_empty() && self.left.is_none()
    }
}

#[cfg(test)]
mod tests;
