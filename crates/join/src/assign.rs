//! One-to-one assignment of events with the same key: which inner interval belongs to which outer one?
//!
//! An inner interval can belong to an outer one that contains it. The assignment takes as many pairs as possible, in order of
//! time where there is a choice, and says of every pair whether it is the only possible one: a pair is *sure* when every
//! largest assignment has it.

mod pairs;

pub(crate) use pairs::assign_pairs;

/// A closed interval on one clock.
pub(crate) type Interval = (i64, i64);

/// What an outer interval got.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Assigned {
    /// Index of the inner interval.
    pub(crate) inner: Option<usize>,
    /// Whether every largest assignment says the same.
    pub(crate) sure: bool,
    /// 1 when sure, else one in as many inner intervals as could have been its own.
    pub(crate) confidence: f32,
}

const NOTHING: Assigned = Assigned {
    inner: None,
    sure: true,
    confidence: 0.0,
};

/// Assigns inner intervals to outer ones. `fits` may refuse pairs for reasons other than time.
///
/// The result has an entry an outer interval. Deterministic in the order of its arguments, so callers sort them. `linked` hears
/// of outer intervals that could have the same inner one.
pub(crate) fn assign(
    outers: &[Interval],
    inners: &[Interval],
    fits: impl Fn(usize, usize) -> bool,
    linked: impl FnMut(usize, usize),
) -> Vec<Assigned> {
    if let [outer] = outers {
        return vec![single(*outer, inners, fits)];
    }
    if inners.is_empty() {
        return vec![NOTHING; outers.len()];
    }
    let graph = Graph::new(outers, inners, fits);
    graph.link(linked);
    let matching = pairs::largest(&graph);
    graph.judge(&matching)
}

fn single(outer: Interval, inners: &[Interval], fits: impl Fn(usize, usize) -> bool) -> Assigned {
    let mut found = None;
    let mut possible = 0_u32;
    for (at, inner) in inners.iter().enumerate() {
        if contains(outer, *inner) && fits(0, at) {
            possible += 1;
            if found.is_none_or(|best: usize| inners[best] > *inner) {
                found = Some(at);
            }
        }
    }
    match found {
        None => NOTHING,
        Some(_) => Assigned {
            inner: found,
            sure: possible == 1,
            confidence: 1.0 / possible as f32,
        },
    }
}

/// Which inner intervals, given in the order of their starts, lie in an outer one: only those are looked at that start in it.
pub(crate) fn within(inners: &[Interval], outer: Interval) -> impl Iterator<Item = usize> + '_ {
    let first = inners.partition_point(|inner| inner.0 < outer.0);
    let started = inners[first..].iter().take_while(move |inner| inner.0 <= outer.1);
    let numbered = (first..).zip(started);
    numbered.filter(move |(_, inner)| inner.1 <= outer.1).map(|(at, _)| at)
}

const fn contains(outer: Interval, inner: Interval) -> bool {
    outer.0 <= inner.0 && inner.1 <= outer.1
}

struct Graph {
    /// For each outer interval the inner ones that it may have, in order of time.
    edges: Vec<Vec<usize>>,
    inners: usize,
    /// Outer intervals in order of time.
    order: Vec<usize>,
}

struct Matching {
    of_outer: Vec<Option<usize>>,
    of_inner: Vec<Option<usize>>,
}

impl Graph {
    fn new(outers: &[Interval], inners: &[Interval], fits: impl Fn(usize, usize) -> bool) -> Self {
        let mut by_start: Vec<usize> = (0..inners.len()).collect();
        by_start.sort_by_key(|&at| (inners[at], at));
        let edges = outers
            .iter()
            .enumerate()
            .map(|(left, outer)| {
                let first = by_start.partition_point(|&at| inners[at].0 < outer.0);
                by_start[first..]
                    .iter()
                    .copied()
                    .take_while(|&at| inners[at].0 <= outer.1)
                    .filter(|&at| contains(*outer, inners[at]) && fits(left, at))
                    .collect()
            })
            .collect();
        let mut order: Vec<usize> = (0..outers.len()).collect();
        // Who ends first chooses first: for nested intervals the tighter one has the fewer choices.
        order.sort_by_key(|&at| (outers[at].1, outers[at].0, at));
        Self {
            edges,
            inners: inners.len(),
            order,
        }
    }

    fn link(&self, mut linked: impl FnMut(usize, usize)) {
        let mut last = vec![None; self.inners];
        for (outer, inners) in self.edges.iter().enumerate() {
            for &inner in inners {
                if let Some(other) = last[inner].replace(outer) {
                    linked(other, outer);
                }
            }
        }
    }

    /// Which pairs could be otherwise in another largest assignment: those whose outer interval can move on (to a free
    /// inner one at the end of a chain), can be pushed out (by a free outer one at the start of a chain), or lies on a
    /// cycle of exchanges.
    fn judge(&self, matching: &Matching) -> Vec<Assigned> {
        let lefts = self.edges.len();
        // moves[l]: whose inner interval l could take.
        let moves: Vec<Vec<usize>> = (0..lefts)
            .map(|left| {
                let others = self.edges[left].iter().filter_map(|&inner| matching.of_inner[inner]);
                others.filter(|&other| other != left).collect()
            })
            .collect();
        let mut back = vec![Vec::new(); lefts];
        for (left, others) in moves.iter().enumerate() {
            others.iter().for_each(|&other| back[other].push(left));
        }
        let has_free = |left: usize| self.edges[left].iter().any(|&inner| matching.of_inner[inner].is_none());
        let can_move = reach((0..lefts).filter(|&left| has_free(left)), &back, lefts);
        let unmatched = |left: &usize| matching.of_outer[*left].is_none() && !self.edges[*left].is_empty();
        let can_lose = reach((0..lefts).filter(unmatched), &moves, lefts);
        let cycles = on_cycles(&moves, &back);
        (0..lefts)
            .map(|left| {
                let sure = !(can_move[left] || can_lose[left] || cycles[left]);
                match matching.of_outer[left] {
                    None => Assigned {
                        inner: None,
                        sure,
                        confidence: 0.0,
                    },
                    inner if sure => Assigned {
                        inner,
                        sure,
                        confidence: 1.0,
                    },
                    inner => {
                        let possible = self.edges[left].len().max(2);
                        Assigned {
                            inner,
                            sure,
                            confidence: 1.0 / possible as f32,
                        }
                    }
                }
            })
            .collect()
    }
}

fn reach(starts: impl Iterator<Item = usize>, next: &[Vec<usize>], nodes: usize) -> Vec<bool> {
    let mut reached = vec![false; nodes];
    let mut open: Vec<usize> = starts.collect();
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut reached[at], true) {
            open.extend(next[at].iter().filter(|&&to| !reached[to]));
        }
    }
    reached
}

/// Which nodes lie on a cycle: Kosaraju's components with more than one node (there are no self-loops).
fn on_cycles(next: &[Vec<usize>], back: &[Vec<usize>]) -> Vec<bool> {
    let nodes = next.len();
    let mut finished = Vec::with_capacity(nodes);
    let mut seen = vec![false; nodes];
    for start in 0..nodes {
        let mut path = vec![(start, 0)];
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        while let Some(top) = path.last_mut() {
            let (at, edge) = *top;
            top.1 += 1;
            match next[at].get(edge) {
                Some(&to) if !std::mem::replace(&mut seen[to], true) => path.push((to, 0)),
                Some(_) => {}
                None => {
                    finished.push(at);
                    path.pop();
                }
            }
        }
    }
    let mut component = vec![usize::MAX; nodes];
    let mut sizes = vec![0_usize; nodes];
    for &root in finished.iter().rev() {
        let mut open = vec![root];
        while let Some(at) = open.pop() {
            if component[at] == usize::MAX {
                component[at] = root;
                sizes[root] += 1;
                open.extend(back[at].iter().filter(|&&to| component[to] == usize::MAX));
            }
        }
    }
    component.iter().map(|&root| sizes[root] > 1).collect()
}

#[cfg(test)]
mod tests;
