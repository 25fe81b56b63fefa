//! What a round needs to know of streams and clocks, ready for look-up.

use fathom_model::{NodeIndex, StreamIndex, Tap};

use super::super::Engine;
use crate::clock::Cell;

/// A stream in a round.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) stream: StreamIndex,
    pub(super) node: NodeIndex,
    /// Of each tap that the stream gives.
    pub(super) gives: [bool; Tap::ALL.len()],
    /// Of each tap, 1 where it is not said.
    pub(super) resolution: [i64; Tap::ALL.len()],
}

impl Side {
    pub(super) const fn gives(&self, tap: Tap) -> bool {
        self.gives[tap as usize]
    }

    pub(super) const fn resolution(&self, tap: Tap) -> i64 {
        self.resolution[tap as usize]
    }
}

/// The bounds of one pair's clocks over the time of a round.
#[derive(Clone, Debug)]
enum Table {
    Unknown,
    SameClock,
    Cells { first: i64, cells: Vec<Cell> },
}

/// Streams and clocks of a round.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) sides: Vec<Side>,
    /// Of each node the side that speaks for it, if one does and nobody has given it up.
    far: Vec<Option<usize>>,
    tables: Vec<Table>,
    pub(super) longest_io_nanos: i64,
}

impl Context {
    /// For I/Os that start and end between two times, on whichever initiator's clock.
    pub(super) fn new(engine: &Engine, from: i64, until: i64) -> Self {
        let mut streams: Vec<StreamIndex> = engine.streams.keys().copied().collect();
        streams.sort_by_key(|&stream| engine.catalog.stream(stream));
        let side = |stream: StreamIndex| {
            let state = &engine.streams[&stream];
            Side {
                stream,
                node: state.node,
                gives: state.resolution.map(|resolution| resolution.is_some()),
                resolution: state.resolution.map(|nanos| nanos.map_or(1, |nanos| nanos as i64)),
            }
        };
        let sides: Vec<Side> = streams.into_iter().map(side).collect();
        let mut far = vec![None; engine.catalog.nodes().len()];
        for (at, side) in sides.iter().enumerate() {
            let alone = engine.lives(side.node).len() == 1 && !engine.silent.contains(&side.node);
            far[side.node.as_usize()] = alone.then_some(at);
        }
        let mut context = Self {
            sides,
            far,
            tables: Vec::new(),
            longest_io_nanos: engine.config.longest_io_nanos,
        };
        let count = context.sides.len();
        context.tables.resize_with(count * count, || Table::Unknown);
        context.read_clocks(engine, None, (from, until));
        context
    }

    /// Reads the clocks as they stand now: of one initiator's pairs, or of all.
    pub(super) fn read_clocks(&mut self, engine: &Engine, of: Option<StreamIndex>, (from, until): (i64, i64)) {
        let (first, last) = (Cell::number_of(from), Cell::number_of(until));
        for (at, own) in self.sides.iter().enumerate() {
            if of.is_some_and(|of| of != own.stream) {
                continue;
            }
            for (other, far) in self.sides.iter().enumerate() {
                let table = if own.stream == far.stream {
                    Table::SameClock
                } else if !own.gives(Tap::Volume) {
                    Table::Unknown
                } else {
                    let clock = engine.clocks.get(&(own.stream, far.stream));
                    let cells = clock.and_then(|clock| clock.cells(&engine.config, first, last));
                    cells.map_or(Table::Unknown, |cells| Table::Cells { first, cells })
                };
                self.tables[at * self.sides.len() + other] = table;
            }
        }
    }

    /// The one side that speaks for a node.
    pub(super) fn far(&self, node: u32) -> Option<usize> {
        self.far.get(node as usize).copied().flatten()
    }

    /// Lowest and highest offset of a far clock when the own one shows `x`; `None` where it is not known, or `x` is outside
    /// the time of the round.
    pub(super) fn offset(&self, own: usize, far: usize, x: i64) -> Option<(i64, i64)> {
        match &self.tables[own * self.sides.len() + far] {
            Table::Unknown => None,
            Table::SameClock => Some((0, 0)),
            Table::Cells { first, cells } => {
                let at = usize::try_from(Cell::number_of(x) - first).ok()?;
                cells.get(at).map(|cell| cell.at(x))
            }
        }
    }
}
