//! A configuration that cannot be simulated is refused by the name of its field; a good one survives being written down.

use proptest::prelude::*;

use super::*;
use crate::error::Error;
use crate::scenario::{Options, Scenario};

fn refused(change: impl Fn(&mut Config)) -> String {
    let mut config = Config::default().filled();
    change(&mut config);
    match config.check() {
        Ok(()) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_bad_value_is_named_with_what_is_allowed() {
    assert_eq!(
        refused(|config| config.nodes = 17),
        "nodes is 17; it must be from 1 to 16"
    );
    assert_eq!(
        refused(|config| config.nodes = 0),
        "nodes is 0; it must be from 1 to 16"
    );
    assert_eq!(
        refused(|config| config.disks.sigma = f64::NAN),
        "disks.sigma is NaN; it must be from 0 to 3"
    );
    assert_eq!(
        refused(|config| config.volumes[2].initiators = vec![4]),
        "volumes[2].initiators[0] is 4; it must be from 0 to 3"
    );
    assert_eq!(
        refused(|config| config.volumes[1].columns = 5),
        "volumes[1].columns is 5; it must be from 1 to 4"
    );
    assert_eq!(
        refused(|config| config.volumes[0].sizes[0].bytes = 1000),
        "volumes[0].sizes[0].bytes is 1000; it must be a multiple of 512"
    );
    assert_eq!(
        refused(|config| config.clocks.offset_millis = 60_001.0),
        "clocks.offset-millis is 60001; it must be from 0 to 60000"
    );
    assert_eq!(
        refused(|config| config.name = "a/b".to_owned()),
        "name is `a/b`; it must be 1 to 64 letters, digits, - and _"
    );
    let slow = |node, disk| Fault {
        from_seconds: 0.0,
        until_seconds: None,
        what: FaultKind::SlowDisk {
            on: DiskRef { node, disk },
            factor: 2.0,
            add_micros: 0.0,
        },
    };
    assert_eq!(
        refused(|config| config.faults.push(slow(1, 4))),
        "faults[0].what.slow-disk.on.disk is 4; it must be from 0 to 3"
    );
}

#[test]
fn run_without_an_end_is_refused() {
    let mut config = Config::default().filled();
    config.volumes.iter_mut().for_each(|volume| {
        volume.ops.write = 0.0;
        volume.ops.read = 1.0;
    });
    assert_eq!(config.check(), Err(Error::Endless));
    config.seconds = Some(1.0);
    assert_eq!(config.check(), Ok(()));
}

#[test]
fn scenarios_are_good_with_any_nodes_that_they_allow() {
    for scenario in Scenario::ALL {
        assert_eq!(scenario.as_str().parse(), Ok(scenario));
        for nodes in 1..=16 {
            let options = Options {
                nodes: Some(nodes),
                ..Options::default()
            };
            if scenario.check_nodes(nodes).is_ok() {
                assert_eq!(
                    scenario.config(&options).filled().check(),
                    Ok(()),
                    "{scenario} on {nodes}"
                );
            }
        }
    }
    assert!(matches!("slow-disc".parse::<Scenario>(), Err(Error::NoScenario { .. })));
}

#[test]
fn scenarios_survive_being_written_as_toml() {
    for scenario in Scenario::ALL {
        let config = scenario.config(&Options::default()).filled();
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), config, "{scenario}");
    }
}

#[test]
fn misspelt_key_is_refused() {
    let error = toml::from_str::<Config>("nodez = 3").unwrap_err().to_string();
    assert!(error.contains("nodez"), "{error}");
}

proptest! {
    /// No value of a number makes the simulator panic: it is refused, or it runs.
    #[test]
    fn odd_numbers_are_refused_or_run(
        nodes in 0_u32..20,
        columns in 0_u32..6,
        size in prop::sample::select(vec![0, 512, 4096, 5000, 1 << 20, 3 << 28, u64::MAX]),
        slab in prop::sample::select(vec![0, 4096, 1 << 20, 5 << 20, 256 << 20, u64::MAX]),
        bytes in prop::sample::select(vec![0, 512, 4096, 12_288, 1 << 20, u64::MAX]),
        interleave in prop::sample::select(vec![0, 4096, 12_288, 256 << 10, u64::MAX]),
        micros in prop::sample::select(vec![-1.0, 0.0, 100.0, 1e9, f64::NAN, f64::INFINITY]),
        transfer in prop::sample::select(vec![0, 4096, 5120, 1 << 20, u64::MAX]),
    ) {
        let mut config = Config { nodes, writes: Some(20), ..Config::default() }.filled();
        for volume in &mut config.volumes {
            volume.columns = columns;
            volume.size_bytes = size;
            volume.slab_bytes = slab;
            volume.interleave_bytes = interleave;
            volume.sizes[0].bytes = bytes;
        }
        config.disks.write_micros = micros;
        config.disks.max_transfer_bytes = transfer;
        let simulated = crate::simulate(&config);
        if let Ok(simulated) = simulated {
            prop_assert_eq!(simulated.truth.len(), 20);
        }
    }
}
