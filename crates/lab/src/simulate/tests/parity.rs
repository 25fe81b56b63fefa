//! Mirror-accelerated volumes: the mirror tier is joined exactly, the parity tier by time.

use super::*;

#[test]
fn mirror_accelerated_volume_is_joined_in_both_tiers() {
    for taps in Taps::ALL {
        let options = Options {
            taps: Some(taps),
            ..writes(4000)
        };
        let (directory, simulated, _) = recorded(Scenario::MirrorAccelerated, &options);
        let extents = simulated.topology.extents.extents();
        assert!(
            extents.iter().any(|extent| extent.parity.is_some())
                && extents.iter().any(|extent| extent.parity.is_none())
        );
        let recording = Recording::open(directory.path()).unwrap();
        let replayed = replay::replay(&recording, &replay::Options::default()).unwrap();
        let rows = &replayed.rows;
        let border = simulated.config.volumes[0].size_bytes - simulated.config.volumes[0].parity.unwrap().size_bytes;
        let (mut mirrored, mut of_columns, mut both) = ((0, 0), (0, 0), 0);
        for io in &rows.ios {
            let exact = usize::from(io.class == fathom_model::IoClass::Exact);
            let method = |leg: &fathom_model::Leg| leg.method;
            if io.offset + io.length <= border {
                (mirrored.0, mirrored.1) = (mirrored.0 + exact, mirrored.1 + 1);
                assert!(
                    rows.legs_of(io)
                        .iter()
                        .all(|leg| method(leg) != fathom_model::LegMethod::Time)
                );
            } else if io.offset >= border {
                (of_columns.0, of_columns.1) = (of_columns.0 + exact, of_columns.1 + 1);
                assert!(
                    rows.legs_of(io)
                        .iter()
                        .all(|leg| method(leg) == fathom_model::LegMethod::Time)
                );
            } else {
                both += 1;
            }
        }
        let context = format!("{taps:?}: mirrored {mirrored:?}, of columns {of_columns:?}, {both} of both");
        assert!(mirrored.1 > 1500 && of_columns.1 > 1500, "{context}");
        assert!(mirrored.0 * 1000 >= mirrored.1 * 960, "{context}");
        assert!(of_columns.0 * 1000 >= of_columns.1 * 950, "{context}");
        let score = scored(directory.path());
        assert!(score.leg_precision >= Some(0.9995), "{context}: {score:?}");
        assert!(score.exact_fanout >= Some(0.995), "{context}: {score:?}");
        assert_eq!(score.clock_bound_held, Some(true), "{context}: {score:?}");
    }
}
