//! Where bytes lie under each arithmetic.

use super::*;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Two copies of two columns, two rows of slabs of 1 MiB, each slab on a disk of its own.
fn slabs(offset: impl Fn(u64, u64) -> u64, first_column: u32) -> Vec<Slab> {
    let mut slabs = Vec::new();
    for row in 0..2_u64 {
        for copy in 0..2_u32 {
            for column in 0..2_u32 {
                slabs.push(Slab {
                    volume: "v".into(),
                    copy,
                    column: first_column + column,
                    volume_offset: offset(row, u64::from(column)),
                    length: MIB,
                    disk: format!("d{copy}{column}").as_str().into(),
                    disk_offset: 64 * MIB + row * MIB,
                });
            }
        }
    }
    slabs
}

const STRIPING: Striping = Striping {
    columns: 2,
    interleave_bytes: 256 * KIB,
};

fn where_(map: &StripedMap, offset: u64, length: u64) -> Vec<(u32, String, u64, u64)> {
    let parts = map.parts(&"v".into(), offset, length);
    parts
        .into_iter()
        .map(|part| (part.copy, part.disk.to_string(), part.disk_offset, part.length))
        .collect()
}

#[test]
fn stripes_go_round_the_columns_of_a_row() {
    for (arithmetic, first) in [(Arithmetic::RowStart, 0), (Arithmetic::RowStart, 1)] {
        let map = StripedMap::try_new(&slabs(|row, _| row * 2 * MIB, first), STRIPING, arithmetic).unwrap();
        // The third stripe is the second of the first column.
        assert_eq!(
            where_(&map, 512 * KIB + 4096, 8192),
            [
                (0, "d00".into(), 64 * MIB + 256 * KIB + 4096, 8192),
                (1, "d10".into(), 64 * MIB + 256 * KIB + 4096, 8192),
            ]
        );
        // Over an interleave border, and over a row of slabs.
        let crossing = where_(&map, 256 * KIB - 4096, 8192);
        assert_eq!(
            crossing[..2],
            [
                (0, "d00".into(), 64 * MIB + 256 * KIB - 4096, 4096),
                (0, "d01".into(), 64 * MIB, 4096),
            ]
        );
        let crossing = where_(&map, 2 * MIB - 4096, 8192);
        assert_eq!(
            crossing[..2],
            [
                (0, "d01".into(), 65 * MIB - 4096, 4096),
                (0, "d00".into(), 65 * MIB, 4096),
            ]
        );
    }
}

#[test]
fn consecutive_offsets_make_the_same_stripes() {
    let row_start = StripedMap::try_new(&slabs(|row, _| row * 2 * MIB, 0), STRIPING, Arithmetic::RowStart).unwrap();
    let slabs = slabs(|row, column| (row * 2 + column) * MIB, 0);
    let consecutive = StripedMap::try_new(&slabs, STRIPING, Arithmetic::Consecutive).unwrap();
    let straight = StripedMap::try_new(&slabs, STRIPING, Arithmetic::Straight).unwrap();
    assert_eq!(row_start.extents(100), consecutive.extents(100));
    assert_eq!(row_start.extents(100).unwrap().len(), 2 * 2 * 8);
    assert_ne!(straight.extents(100), consecutive.extents(100));
    assert_eq!(
        where_(&straight, MIB - 4096, 8192)[..2],
        [
            (0, "d00".into(), 65 * MIB - 4096, 4096),
            (0, "d01".into(), 64 * MIB, 4096),
        ]
    );
    assert_eq!(row_start.extents(31), None);
}

#[test]
fn every_byte_has_one_place_a_copy_and_no_two_have_the_same() {
    let map = StripedMap::try_new(&slabs(|row, _| row * 2 * MIB, 0), STRIPING, Arithmetic::RowStart).unwrap();
    let mut extents = map.extents(1000).unwrap();
    let total: u64 = extents.iter().map(|extent| extent.length).sum();
    assert_eq!(total, 8 * MIB);
    extents.sort_by(|a, b| (&a.disk, a.disk_offset).cmp(&(&b.disk, b.disk_offset)));
    for pair in extents.windows(2) {
        assert!(pair[0].disk != pair[1].disk || pair[0].disk_offset + pair[0].length <= pair[1].disk_offset);
    }
    assert!(crate::ExtentMap::try_new(extents).is_ok());
}

#[test]
fn slabs_that_do_not_fit_together_make_no_map() {
    let row_start = slabs(|row, _| row * 2 * MIB, 0);
    let wrong = StripedMap::try_new(&row_start, STRIPING, Arithmetic::Straight).unwrap_err();
    assert!(matches!(wrong, StripingError::Columns { .. }), "{wrong}");
    let consecutive = slabs(|row, column| (row * 2 + column) * MIB, 0);
    let wrong = StripedMap::try_new(&consecutive, STRIPING, Arithmetic::RowStart).unwrap_err();
    assert!(matches!(wrong, StripingError::Columns { found: 1, .. }), "{wrong}");
    let odd = Striping {
        interleave_bytes: 300_000,
        ..STRIPING
    };
    let wrong = StripedMap::try_new(&row_start, odd, Arithmetic::RowStart).unwrap_err();
    assert!(matches!(wrong, StripingError::Impossible { .. }), "{wrong}");
    let none = Striping {
        columns: 0,
        interleave_bytes: 0,
    };
    assert!(StripedMap::try_new(&row_start, none, Arithmetic::RowStart).is_err());
    let mut far = row_start.clone();
    far[0].volume_offset = u64::MAX - 4096;
    assert!(StripedMap::try_new(&far, STRIPING, Arithmetic::RowStart).is_err());
    let overlapping = slabs(|row, _| row * MIB, 0);
    let wrong = StripedMap::try_new(&overlapping, STRIPING, Arithmetic::RowStart).unwrap_err();
    assert!(matches!(wrong, StripingError::Overlap { .. }), "{wrong}");
}
