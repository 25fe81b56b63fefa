//! Finding, in a row of numbers, those that are not above a limit, without looking at the others.

/// The lowest of ever larger stretches of a row.
#[derive(Debug, Default)]
pub(crate) struct Lowest {
    /// A tree in an array: the children of `at` are `2 * at` and `2 * at + 1`, the row itself begins at `leaves`.
    tree: Vec<i64>,
    leaves: usize,
}

impl Lowest {
    pub(crate) fn new(row: impl ExactSizeIterator<Item = i64>) -> Self {
        let leaves = row.len().next_power_of_two();
        let mut tree = vec![i64::MAX; 2 * leaves];
        for (at, value) in row.enumerate() {
            tree[leaves + at] = value;
        }
        for at in (1..leaves).rev() {
            tree[at] = tree[2 * at].min(tree[2 * at + 1]);
        }
        Self { tree, leaves }
    }

    /// The first place from `from` on whose number is at most `limit`, which must not be the largest of all numbers. Takes steps
    /// in the logarithm of the row's length.
    pub(crate) fn first(&self, from: usize, limit: i64) -> Option<usize> {
        if from >= self.leaves {
            return None;
        }
        let mut at = self.leaves + from;
        // Up until a subtree to the right has one.
        while self.tree[at] > limit {
            while at % 2 == 1 {
                at /= 2;
            }
            if at == 0 {
                return None;
            }
            at += 1;
        }
        // Down to its first.
        while at < self.leaves {
            at *= 2;
            if self.tree[at] > limit {
                at += 1;
            }
        }
        Some(at - self.leaves)
    }

    /// Takes a place out: it is above every limit from now on.
    pub(crate) fn remove(&mut self, place: usize) {
        let mut at = self.leaves + place;
        self.tree[at] = i64::MAX;
        while at > 1 {
            at /= 2;
            self.tree[at] = self.tree[2 * at].min(self.tree[2 * at + 1]);
        }
    }

    /// All such places.
    pub(crate) fn all(&self, from: usize, limit: i64) -> impl Iterator<Item = usize> + '_ {
        let mut next = from;
        std::iter::from_fn(move || {
            let found = self.first(next, limit)?;
            next = found + 1;
            Some(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_look_at_all_finds() {
        let mut state = 3_u64;
        for length in 0..70 {
            let row: Vec<i64> = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 40) as i64 % 20
                })
                .collect();
            let lowest = Lowest::new(row.iter().copied());
            let mut thinned = Lowest::new(row.iter().copied());
            (0..length).step_by(3).for_each(|at| thinned.remove(at));
            for from in 0..length + 2 {
                for limit in -1..21 {
                    let plain: Vec<usize> = (from..length).filter(|&at| row[at] <= limit).collect();
                    assert_eq!(
                        lowest.all(from, limit).collect::<Vec<_>>(),
                        plain,
                        "{row:?} from {from} to {limit}"
                    );
                    let left = plain.into_iter().filter(|at| at % 3 != 0);
                    assert!(left.eq(thinned.all(from, limit)), "{row:?} from {from} to {limit}");
                }
            }
        }
    }
}
