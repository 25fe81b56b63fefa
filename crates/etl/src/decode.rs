//! From an event's bytes to what it says of an I/O: by its layout, in units of the model. Nothing of Windows is called.
//!
//! What does not fit is told apart and counted by whoever asks: an event that nobody knows, a version without a layout, a payload of
//! another size than its layout, a value that cannot be. None of these is guessed at.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use fathom_model::{Op, Tap};
use rustc_hash::FxBuildHasher;

use crate::clock::Clock;
use crate::disk_io::{self, NoIo};
use crate::event::{EventKey, Guid, RawEvent, providers};
use crate::layout::{Layout, Plan, Value};
use crate::manifest::{self, KNOWN, Known, What};

mod commands;
mod said;

pub(crate) use commands::scsi_op;
use commands::{cdb_io, is_admin, major_op, nvme_op};
pub use said::{Extent, PairKey, Place, Request, Seen, Site, SpaceIo, Unread};

/// What no source documents, and whoever runs it can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What `VhdIoType` of VHDMP's events means. Not documented: empty unless configured.
    pub vhd_io_types: Vec<(u32, Op)>,
    /// Nanoseconds in a unit of StorPort's `RequestDuration`. Not documented; its neighbours count in 100 ns.
    pub storport_unit_nanos: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            vhd_io_types: Vec::new(),
            storport_unit_nanos: 100,
        }
    }
}

/// A layout that lacks a field without which its event means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUsable {
    /// Nobody here knows the event.
    #[error("event {id} of provider {provider} is not decoded here")]
    Foreign {
        /// The provider.
        provider: Guid,
        /// The number.
        id: u16,
    },
    /// No field has one of these names.
    #[error("event {id} has none of the fields {names:?}; its fields are: {layout}")]
    Lacks {
        /// The number.
        id: u16,
        /// What was looked for.
        names: &'static [&'static str],
        /// The layout.
        layout: String,
    },
}

/// Decodes events by layouts that it was taught.
#[derive(Clone, Debug)]
pub struct Decoder {
    plans: HashMap<EventKey, (What, Plan), FxBuildHasher>,
    settings: Settings,
}

/// Slots of a plan.
const SLOTS: usize = 10;

impl Decoder {
    /// Knows the layouts of public manifests.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut decoder = Self {
            plans: HashMap::default(),
            settings,
        };
        for (key, layout) in manifest::layouts() {
            // The tests hold each layout against what is needed of it.
            let _ = decoder.learn(key, &layout);
        }
        decoder
    }

    /// Teaches a version's layout, in place of the one that was known.
    ///
    /// # Errors
    ///
    /// When nobody here decodes the event, or a needed field is not in the layout; what was known before stays.
    pub fn learn(&mut self, key: EventKey, layout: &Layout) -> Result<(), NotUsable> {
        let (known, wanted) = wanted(key, layout)?;
        self.plans.insert(key, (known.what, Plan::new(layout, &wanted)));
        Ok(())
    }

    /// Whether the layout of this event's version is known.
    #[must_use]
    pub fn knows(&self, key: &EventKey) -> bool {
        self.plans.contains_key(key)
    }

    /// Whether a layout of any version of an event is known.
    #[must_use]
    pub fn knows_id(&self, provider: Guid, id: u16) -> bool {
        self.plans.keys().any(|key| (key.provider, key.id) == (provider, id))
    }

    /// What an event says.
    ///
    /// # Errors
    ///
    /// Why it says nothing here.
    #[inline]
    pub fn decode<'a>(&self, event: &RawEvent<'a>, clock: &Clock) -> Result<Seen<'a>, Unread> {
        if event.key.provider == providers::DISK_IO {
            return disk(event, clock);
        }
        let Some((what, plan)) = self.plans.get(&event.key) else {
            let known = KNOWN
                .iter()
                .any(|known| (known.provider, known.id) == (event.key.provider, event.key.id));
            return Err(if known { Unread::NoLayout } else { Unread::Foreign });
        };
        let values: [Value<'a>; SLOTS] = plan
            .read(event.payload, event.pointer_bytes)
            .map_err(|_| Unread::Misfit)?;
        self.seen(*what, &values)
    }

    #[inline]
    fn seen<'a>(&self, what: What, values: &[Value<'a>; SLOTS]) -> Result<Seen<'a>, Unread> {
        let number = |slot: usize| values[slot].number().ok_or(Unread::Impossible);
        let byte = |slot: usize| number(slot).map(|number| number as u8);
        let word = |slot: usize| number(slot).map(|number| number as u32);
        match what {
            What::VspDone => {
                let duration = number(4)?
                    .checked_add(number(5)?)
                    .and_then(|micros| micros.checked_mul(1_000));
                let request = Request {
                    tap: Tap::Guest,
                    site: Site::Named(units(values[0])?),
                    op: scsi_op(byte(1)?)
                        .filter(|_| values[1].number() <= Some(0xff))
                        .ok_or(Unread::OtherOp)?,
                    place: Place::Untold,
                    extent: Extent::Bytes(number(2)?),
                    correlation: None,
                };
                done(request, duration, word(3)?)
            }
            What::VhdBegun => {
                let key = vhd_key(values)?;
                let code = word(1)?;
                let op = self.settings.vhd_io_types.iter().find(|(known, _)| *known == code);
                let request = Request {
                    tap: Tap::Vhdx,
                    site: Site::Named(units(values[0])?),
                    op: op.ok_or(Unread::OtherOp)?.1,
                    place: Place::Byte(number(2)?),
                    extent: Extent::Bytes(number(3)?),
                    correlation: None,
                };
                Ok(Seen::Begun { request, key })
            }
            What::VhdDone => {
                let code = word(1)?;
                if !self.settings.vhd_io_types.iter().any(|(known, _)| *known == code) {
                    return Err(Unread::OtherOp);
                }
                let key = vhd_key(values)?;
                Ok(Seen::Ended { key, status: 0 })
            }
            What::CsvDirect | What::CsvRedirected => {
                let request = Request {
                    tap: Tap::Csv,
                    site: if what == What::CsvDirect {
                        Site::CsvDirect
                    } else {
                        Site::CsvRedirected
                    },
                    // The public texts do not tell reads from writes.
                    op: values[4].number().and_then(major_op).ok_or(Unread::OtherOp)?,
                    place: Place::Untold,
                    // What an I/O's information is: bytes moved.
                    extent: values[2].number().map_or(Extent::Untold, Extent::Bytes),
                    correlation: values[0].number(),
                };
                let status = values[1].number().unwrap_or(0) as u32;
                done(request, number(3)?.checked_mul(100), status)
            }
            What::SpacesIo => Ok(Seen::Copies(SpaceIo {
                space: word(0)?,
                slab: word(1)?,
                column_offset: word(2)?,
                length: word(3)?,
                operation: number(4)? as u16,
                copies_mask: number(5)? as u16,
                column: number(6)? as u16,
                error: byte(7)?,
            })),
            What::BusBegun => {
                let (device, irp) = (number(0)?, number(1)?);
                let request = Request {
                    tap: Tap::Initiator,
                    site: Site::BusDevice(device),
                    op: major_op(number(2)?).ok_or(Unread::OtherOp)?,
                    place: values[5].number().map_or(Place::Untold, Place::Byte),
                    extent: values[4].number().map_or(Extent::Untold, Extent::Bytes),
                    correlation: Some(irp),
                };
                let key = pair(Tap::Initiator, device, irp);
                Ok(Seen::Begun { request, key })
            }
            What::BusDone => Ok(Seen::Ended {
                key: pair(Tap::Initiator, number(0)?, number(1)?),
                status: word(2)?,
            }),
            What::SmbBegun => {
                let request = Request {
                    tap: Tap::Csv,
                    site: Site::File(guid(values[5])?),
                    op: Op::Write,
                    place: Place::Byte(number(4)?),
                    extent: Extent::Bytes(number(3)?),
                    correlation: Some(number(1)?),
                };
                let key = smb_key(values)?;
                Ok(Seen::Begun { request, key })
            }
            What::SmbDone => Ok(Seen::Ended {
                key: smb_key(values)?,
                status: word(3)?,
            }),
            What::PortDone => {
                let Value::Bytes(cdb) = values[5] else {
                    return Err(Unread::Impossible);
                };
                let (op, block, blocks) = cdb_io(cdb).ok_or(Unread::OtherOp)?;
                let transfers = matches!(op, Op::Read | Op::Write);
                let request = Request {
                    tap: Tap::Device,
                    site: Site::Port([byte(0)?, byte(1)?, byte(2)?, byte(3)?]),
                    op,
                    place: if transfers { Place::Block(block) } else { Place::Untold },
                    extent: if transfers {
                        Extent::Blocks(blocks)
                    } else {
                        Extent::Untold
                    },
                    correlation: values[7].number(),
                };
                // SRB_STATUS_SUCCESS is 1; the two highest bits are flags.
                let status = match byte(6)? & 0x3f {
                    1 => 0,
                    other => u32::from(other),
                };
                done(
                    request,
                    number(4)?.checked_mul(self.settings.storport_unit_nanos),
                    status,
                )
            }
            What::NvmeDone => {
                let serial = match values[1] {
                    Value::Ansi(serial) => serial,
                    _ => return Err(Unread::Impossible),
                };
                // Of an administrator's command the same numbers mean something else.
                if is_admin(values[9]) {
                    return Err(Unread::OtherOp);
                }
                let (op, blocks) = nvme_op(word(5)? as u8, word(8)?).ok_or(Unread::OtherOp)?;
                let transfers = matches!(op, Op::Read | Op::Write);
                let block = u64::from(word(7)?) << 32 | u64::from(word(6)?);
                let request = Request {
                    tap: Tap::Device,
                    site: Site::Drive {
                        guid: guid(values[0])?,
                        serial,
                    },
                    op,
                    place: if transfers { Place::Block(block) } else { Place::Untold },
                    extent: if transfers {
                        Extent::Blocks(blocks)
                    } else {
                        Extent::Untold
                    },
                    correlation: values[3].number(),
                };
                done(request, number(2)?.checked_mul(100), word(4)?)
            }
        }
    }
}

/// The places of the fields that are wanted of an event.
fn wanted(key: EventKey, layout: &Layout) -> Result<(&'static Known, Vec<Option<usize>>), NotUsable> {
    let known = KNOWN
        .iter()
        .find(|known| (known.provider, known.id) == (key.provider, key.id))
        .ok_or(NotUsable::Foreign {
            provider: key.provider,
            id: key.id,
        })?;
    let mut wanted = Vec::with_capacity(known.roles.len());
    for role in known.roles {
        let place = role.names.iter().find_map(|name| layout.position(name));
        if role.needed && place.is_none() {
            return Err(NotUsable::Lacks {
                id: key.id,
                names: role.names,
                layout: layout.to_string(),
            });
        }
        wanted.push(place);
    }
    Ok((known, wanted))
}

#[inline]
fn done(request: Request<'_>, duration_nanos: Option<u64>, status: u32) -> Result<Seen<'_>, Unread> {
    Ok(Seen::Done {
        request,
        duration_nanos: duration_nanos.ok_or(Unread::Impossible)?,
        status,
    })
}

#[inline]
fn disk<'a>(event: &RawEvent<'a>, clock: &Clock) -> Result<Seen<'a>, Unread> {
    let kind = u8::try_from(event.key.id).map_err(|_| Unread::Foreign)?;
    let disk_io::Kind::Done(op) = disk_io::Kind::of(kind) else {
        return Err(Unread::NotWanted);
    };
    let version = u16::from(event.key.version);
    let io = disk_io::decode(
        op,
        version,
        event.payload,
        usize::from(event.pointer_bytes),
        event.stamp,
        clock,
    );
    let io = io.map_err(|why| match why {
        NoIo::Version => Unread::NoLayout,
        NoIo::Size => Unread::Misfit,
        NoIo::Value(_) => Unread::Impossible,
    })?;
    let is_flush = op == Op::Flush;
    let request = Request {
        tap: Tap::Device,
        site: Site::Disk(io.disk),
        op,
        place: if is_flush {
            Place::Untold
        } else {
            Place::Byte(io.offset)
        },
        extent: if is_flush {
            Extent::Untold
        } else {
            Extent::Bytes(io.length)
        },
        correlation: io.irp,
    };
    done(request, Some(io.duration_nanos), 0)
}

#[inline]
const fn pair(kind: Tap, one: u64, other: u64) -> PairKey {
    PairKey {
        kind,
        values: [one, other],
    }
}

fn vhd_key(values: &[Value<'_>; SLOTS]) -> Result<PairKey, Unread> {
    let mut hash = DefaultHasher::new();
    units(values[0])?.hash(&mut hash);
    (values[1].number(), values[3].number()).hash(&mut hash);
    let offset = values[2].number().ok_or(Unread::Impossible)?;
    Ok(pair(Tap::Vhdx, hash.finish(), offset))
}

fn smb_key(values: &[Value<'_>; SLOTS]) -> Result<PairKey, Unread> {
    let mut hash = DefaultHasher::new();
    (guid(values[2])?, values[0].number()).hash(&mut hash);
    let message = values[1].number().ok_or(Unread::Impossible)?;
    Ok(pair(Tap::Csv, hash.finish(), message))
}

const fn guid(value: Value<'_>) -> Result<Guid, Unread> {
    match value {
        Value::Guid(guid) => Ok(guid),
        _ => Err(Unread::Impossible),
    }
}

const fn units(value: Value<'_>) -> Result<&[u8], Unread> {
    match value {
        Value::Unicode(units) => Ok(units),
        _ => Err(Unread::Impossible),
    }
}

#[cfg(test)]
mod tests;
