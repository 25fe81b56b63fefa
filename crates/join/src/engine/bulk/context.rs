//! What a round needs to know of streams and clocks, ready for look-up.

use fathom_model::{NodeIndex, StreamIndex, Tap};

use crate::clock::{Cell, Moment, Rate};
use crate::engine::Engine;

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
    #[inline]
    pub(super) const fn gives(&self, tap: Tap) -> bool {
        self.gives[tap as usize]
    }

    #[inline]
    pub(super) const fn resolution(&self, tap: Tap) -> i64 {
        self.resolution[tap as usize]
    }

    /// How much further than its I/O a leg may be recorded to lie, generously.
    #[inline]
    pub(super) const fn own_slack(&self) -> i64 {
        3 * (self.resolution(Tap::Volume) + self.resolution(Tap::Initiator))
    }
}

/// How much further than its I/O an event may be recorded to lie, for the resolutions of all steps between, generously.
#[inline]
pub(super) fn slack(context: &Context, own: usize, far: usize) -> i64 {
    let (own, far) = (&context.sides[own], &context.sides[far]);
    let steps = own.resolution(Tap::Volume)
        + own.resolution(Tap::Initiator)
        + far.resolution(Tap::Target)
        + far.resolution(Tap::Device);
    3 * steps
}

/// The bounds of a pair's clocks over a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The lower bound at its lowest and at its highest.
    pub(super) low: i64,
    pub(super) low_most: i64,
    /// The upper bound at its lowest and at its highest.
    pub(super) high_least: i64,
    pub(super) high: i64,
}

impl Span {
    const ZERO: Self = Self {
        low: 0,
        low_most: 0,
        high_least: 0,
        high: 0,
    };

    fn of(cells: &[Cell]) -> Option<Self> {
        let spans = cells.iter().map(|cell| {
            let [(low, low_most), (high_least, high)] = cell.span();
            Self {
                low,
                low_most,
                high_least,
                high,
            }
        });
        spans.reduce(|all, one| Self {
            low: all.low.min(one.low),
            low_most: all.low_most.max(one.low_most),
            high_least: all.high_least.min(one.high_least),
            high: all.high.max(one.high),
        })
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
    /// How fast clocks can drift apart.
    rate: Rate,
    pub(super) longest_io_nanos: i64,
}

/// What is known of the clocks of one initiator's far sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables<'a> {
    of_far: &'a [Table],
    rate: Rate,
}

impl Tables<'_> {
    /// A time on the initiator's clock.
    #[inline]
    pub(super) const fn moment(&self, x: i64) -> Moment {
        Moment::new(x, self.rate)
    }

    /// See [`Context::offset`].
    #[inline]
    pub(super) fn offset(&self, far: usize, moment: &Moment) -> Option<(i64, i64)> {
        match &self.of_far[far] {
            Table::Unknown => None,
            Table::SameClock => Some((0, 0)),
            Table::Cells { first, cells } => {
                let at = usize::try_from(moment.number - first).ok()?;
                cells.get(at).map(|cell| cell.at_moment(moment))
            }
        }
    }
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
            rate: Rate::from_ppb(engine.config.max_drift_ppb),
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
        let sides = self.sides.len();
        let wanted = |pair: &usize| of.is_none_or(|of| of == self.sides[pair / sides].stream);
        let pairs: Vec<usize> = (0..sides * sides).filter(wanted).collect();
        let tables = engine.workers.map(pairs.len(), |at| {
            let (own, far) = (&self.sides[pairs[at] / sides], &self.sides[pairs[at] % sides]);
            if own.stream == far.stream {
                Table::SameClock
            } else if !own.gives(Tap::Volume) {
                Table::Unknown
            } else {
                let clock = engine.clocks.get(&(own.stream, far.stream));
                let cells = clock.and_then(|clock| clock.cells(&engine.config, first, last));
                cells.map_or(Table::Unknown, |cells| Table::Cells { first, cells })
            }
        });
        for (pair, table) in pairs.into_iter().zip(tables) {
            self.tables[pair] = table;
        }
    }

    /// The one side that speaks for a node.
    #[inline]
    pub(super) fn far(&self, node: u32) -> Option<usize> {
        self.far.get(node as usize).copied().flatten()
    }

    /// Lowest and highest offset of a far clock when the own one shows `x`; `None` where it is not known, or `x` is outside
    /// the time of the round.
    #[inline]
    pub(super) fn offset(&self, own: usize, far: usize, x: i64) -> Option<(i64, i64)> {
        let tables = self.tables_of(own);
        tables.offset(far, &tables.moment(x))
    }

    /// What is known of the clocks of an initiator's far sides.
    #[inline]
    pub(super) fn tables_of(&self, own: usize) -> Tables<'_> {
        let sides = self.sides.len();
        Tables {
            of_far: &self.tables[own * sides..(own + 1) * sides],
            rate: self.rate,
        }
    }

    /// The bounds of a far clock while the own one shows a stretch of time; `None` where they are not known, or it reaches
    /// outside the time of the round.
    pub(super) fn span(&self, own: usize, far: usize, from: i64, until: i64) -> Option<Span> {
        match &self.tables[own * self.sides.len() + far] {
            Table::Unknown => None,
            Table::SameClock => Some(Span::ZERO),
            Table::Cells { first, cells } => {
                let at = |x: i64| usize::try_from(Cell::number_of(x) - first).ok();
                Span::of(cells.get(at(from)?..=at(until)?)?)
            }
        }
    }

    /// The same over the whole round.
    pub(super) fn span_of_all(&self, own: usize, far: usize) -> Option<Span> {
        match &self.tables[own * self.sides.len() + far] {
            Table::Unknown => None,
            Table::SameClock => Some(Span::ZERO),
            Table::Cells { cells, .. } => Span::of(cells),
        }
    }

    /// The side of a stream.
    pub(super) fn side_of(&self, stream: StreamIndex) -> Option<usize> {
        self.sides.iter().position(|side| side.stream == stream)
    }

    /// How many nodes the cluster has.
    pub(super) const fn nodes(&self) -> usize {
        self.far.len()
    }
}
