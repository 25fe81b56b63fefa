//! Plain LZ77 of the Xpress family, as MS-XCA describes it (sections 2.3 and 2.4): how a trace's buffers are compressed.
//!
//! Thirty-two flag bits at a time, the most significant first. A zero: one byte as it is. A one: a match of 16 bits, 13 of distance - 1
//! and 3 of length - 3, the length with extensions of half a byte, a byte, two bytes, four bytes.

/// Why a stream does not unpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The input ended before all was there; what was unpacked until then is right.
    Ended,
    /// A match that points before the begin, or a length that cannot be.
    Invalid {
        /// Where in the input.
        at: usize,
    },
}

/// Unpacks until `output` has `expected` bytes, or fewer where the input ends at the end of a match or byte before that: then
/// [`Broken::Ended`]. `output` is emptied first and never grows past `expected`.
pub(crate) fn unpack(input: &[u8], expected: usize, output: &mut Vec<u8>) -> Result<(), Broken> {
    output.clear();
    let mut at = 0;
    let mut flags = 0_u32;
    let mut flags_left = 0;
    // Where the half byte is whose upper half the next long length uses.
    let mut half_byte: Option<usize> = None;
    while output.len() < expected {
        if flags_left == 0 {
            flags = u32::from_le_bytes(take(input, &mut at)?);
            flags_left = 32;
        }
        flags_left -= 1;
        if flags >> flags_left & 1 == 0 {
            let [byte] = take(input, &mut at)?;
            output.push(byte);
            continue;
        }
        let start = at;
        let word = usize::from(u16::from_le_bytes(take(input, &mut at)?));
        let distance = word / 8 + 1;
        let mut length = word % 8;
        if length == 7 {
            length = match half_byte.take() {
                Some(shared) => usize::from(input[shared] / 16),
                None => {
                    half_byte = Some(at);
                    usize::from(take::<1>(input, &mut at)?[0] % 16)
                }
            };
            if length == 15 {
                length = usize::from(take::<1>(input, &mut at)?[0]);
                if length == 255 {
                    length = usize::from(u16::from_le_bytes(take(input, &mut at)?));
                    if length == 0 {
                        length = u32::from_le_bytes(take(input, &mut at)?) as usize;
                    }
                    length = length.checked_sub(15 + 7).ok_or(Broken::Invalid { at: start })?;
                }
                length += 15;
            }
            length += 7;
        }
        length += 3;
        let Some(mut from) = output.len().checked_sub(distance) else {
            return Err(Broken::Invalid { at: start });
        };
        if length > expected - output.len() {
            return Err(Broken::Invalid { at: start });
        }
        // Source and target may overlap: a run repeats what it has just written.
        while length > 0 {
            let some = length.min(output.len() - from);
            output.extend_from_within(from..from + some);
            from += some;
            length -= some;
        }
    }
    Ok(())
}

fn take<const N: usize>(input: &[u8], at: &mut usize) -> Result<[u8; N], Broken> {
    let bytes = input
        .get(*at..)
        .and_then(|rest| rest.first_chunk::<N>())
        .ok_or(Broken::Ended)?;
    *at += N;
    Ok(*bytes)
}

#[cfg(test)]
mod tests;
