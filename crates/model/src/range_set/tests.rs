//! A range set behaves as a plain set of numbers does.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn behaves_as_a_set_of_numbers(inserts in prop::collection::vec((0_u64..60, 0_u64..12), 0..40), floor in 0_u64..70) {
        let mut set = RangeSet::new();
        let mut plain = BTreeSet::new();
        for (start, length) in inserts {
            set.insert(start, start + length);
            plain.extend(start..start + length);
        }
        prop_assert_eq!(set.len(), plain.len() as u64);
        prop_assert!((0..80).all(|value| set.contains(value) == plain.contains(&value)));
        prop_assert!(set.ranges().windows(2).all(|pair| pair[0].1 < pair[1].0), "ranges are disjoint and not adjacent");
        let gaps: BTreeSet<u64> = set.gaps(5, 65).into_iter().flat_map(|(from, to)| from..to).collect();
        prop_assert!((5..65).all(|value| gaps.contains(&value) != plain.contains(&value)));
        set.remove_below(floor);
        prop_assert!((0..80).all(|value| set.contains(value) == (plain.contains(&value) && value >= floor)));
    }
}
