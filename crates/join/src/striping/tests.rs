//! The arithmetic by which the traffic was made is found, whatever is lost; where nothing tells, nothing is chosen.

use fathom_model::striping::{Arithmetic, Slab, Striping};

use super::*;

const MIB: u64 = 1 << 20;
const STRIPING: Striping = Striping {
    columns: 3,
    interleave_bytes: 256 << 10,
};

/// Noise that is the same everywhere (splitmix64).
struct Noise(u64);

impl Noise {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }
}

/// Two copies of three columns in four rows of slabs of 3 MiB.
fn slabs(offset: impl Fn(u64, u64) -> u64) -> Vec<Slab> {
    let rows =
        (0..4_u64).flat_map(|row| (0..2_u32).flat_map(move |copy| (0..3_u32).map(move |column| (row, copy, column))));
    rows.map(|(row, copy, column)| Slab {
        volume: "v".into(),
        copy,
        column,
        volume_offset: offset(row, u64::from(column)),
        length: 3 * MIB,
        disk: format!("n{copy}/d{column}").as_str().into(),
        disk_offset: 100 * MIB + row * 3 * MIB,
    })
    .collect()
}

fn candidates(slabs: &[Slab]) -> Vec<StripedMap> {
    let mut maps = Vec::new();
    for arithmetic in Arithmetic::ALL {
        for interleave_bytes in [64 << 10, 256 << 10] {
            let striping = Striping {
                interleave_bytes,
                ..STRIPING
            };
            // What is not striped has no interleave.
            if arithmetic == Arithmetic::Straight && interleave_bytes != STRIPING.interleave_bytes {
                continue;
            }
            maps.extend(StripedMap::try_new(slabs, striping, arithmetic));
        }
    }
    maps
}

/// Writes of 4 to 64 KiB that a map serves; of the requests at drives so many of a hundred are lost.
fn traffic(truth: &StripedMap, seed: u64, lost: u64, most: u64) -> (Vec<Written>, Vec<Served>) {
    let mut noise = Noise(seed);
    let (mut writes, mut served) = (Vec::new(), Vec::new());
    for at in 0..400 {
        let length = 4096 << noise.below(5);
        let start = at * 100_000;
        let write = Written {
            volume: "v".into(),
            offset: noise.below((most - length) / 4096 + 1) * 4096,
            length,
            start_unix_nanos: start,
            end_unix_nanos: start + 300_000,
        };
        for part in truth.parts(&write.volume, write.offset, length) {
            if noise.below(100) >= lost {
                served.push(Served {
                    disk: part.disk,
                    offset: part.disk_offset,
                    length: part.length,
                    op: Op::Write,
                    start_unix_nanos: start + 20_000,
                    end_unix_nanos: start + 200_000,
                });
            }
        }
        writes.push(write);
    }
    (writes, served)
}

#[test]
fn arithmetic_that_made_the_traffic_wins() {
    let offsets: [fn(u64, u64) -> u64; 2] = [|row, _| row * 9 * MIB, |row, column| (row * 3 + column) * 3 * MIB];
    for offset in offsets {
        let maps = candidates(&slabs(offset));
        assert!(maps.len() >= 2);
        for (number, truth) in maps.iter().enumerate() {
            for seed in 1..6 {
                for lost in [0, 40] {
                    let (writes, served) = traffic(truth, seed, lost, 36 * MIB);
                    let verdict = hold(&maps, &writes, &served);
                    assert_eq!(
                        verdict.winner,
                        Some(number),
                        "{:?} {seed} {lost}: {verdict:?}",
                        truth.arithmetic()
                    );
                    let won = verdict.explained[number];
                    if lost == 0 {
                        assert_eq!((won.found, won.whole), (won.parts, 400));
                    } else {
                        // What it does not explain is said.
                        assert!(won.found * 100 < won.parts * 70 && won.found * 100 > won.parts * 50);
                    }
                }
            }
        }
    }
}

#[test]
fn traffic_that_all_explain_or_none_does_chooses_nothing() {
    let maps = candidates(&slabs(|row, _| row * 9 * MIB));
    // All of it on the first stripe of the first column, where every stripe length is the same.
    let (writes, served) = traffic(&maps[0], 1, 0, 64 << 10);
    let verdict = hold(&maps, &writes, &served);
    assert_eq!(verdict.winner, None, "{verdict:?}");
    assert!(verdict.explained.iter().all(|explained| explained.whole == 400));
    let verdict = hold(&maps, &writes, &[]);
    assert_eq!(verdict.winner, None);
    assert!(verdict.explained.iter().all(|explained| explained.found == 0));
    let none = hold(&[], &writes, &served);
    assert_eq!((none.winner, none.writes), (None, 400));
}

#[test]
fn one_candidate_alone_has_to_explain_something() {
    let maps = candidates(&slabs(|row, _| row * 9 * MIB));
    let (writes, served) = traffic(&maps[1], 3, 0, 36 * MIB);
    assert_eq!(hold(&maps[1..2], &writes, &served).winner, Some(0));
    assert_eq!(hold(&maps[1..2], &writes, &[]).winner, None);
    assert_eq!(hold(&maps[..1], &writes[..10], &served).winner, None);
}
