//! What goes over the wire comes out as it was; what is not whole is refused.

use super::*;

fn observation() -> Observation {
    let mut observation = Observation::new("n1".into(), Kind::Disk, "d1", -5)
        .with("size_bytes", u64::MAX)
        .with("slot", Value::Signed(-1))
        .with("load", Value::Real(0.25))
        .with("partial", false)
        .with("name", "x")
        .with(
            "status",
            vec![
                Code {
                    code: Some(0xD026),
                    name: None,
                }
                .into(),
            ],
        );
    observation
        .unavailable
        .insert("wear_percent".to_owned(), "null".to_owned());
    observation
}

#[test]
fn an_observation_comes_back_as_it_was() {
    let mut gone = Observation::new("n1".into(), Kind::Source, "x", 7);
    gone.present = false;
    gone.class = Some("MSFT_PhysicalDisk".to_owned());
    for observation in [observation(), gone] {
        assert_eq!(
            Observation::try_from(&wire::Observation::from(&observation)),
            Ok(observation)
        );
    }
}

#[test]
fn a_sample_comes_back_as_it_was() {
    let sample = Sample {
        node: "n1".into(),
        kind: Kind::SblDevice,
        id: "11".to_owned(),
        name: "read_bytes".to_owned(),
        observed_unix_nanos: 9,
        value: 1e300,
    };
    assert_eq!(Sample::try_from(&wire::Sample::from(&sample)), Ok(sample));
}

#[test]
fn what_is_neither_known_nor_unknown_is_refused() {
    let mut wire = wire::Observation::from(&observation());
    wire.kind = "teapot".to_owned();
    assert!(Observation::try_from(&wire).is_err());
    let mut wire = wire::Observation::from(&observation());
    wire.attributes[0].value = None;
    wire.attributes[0].unavailable = String::new();
    assert!(Observation::try_from(&wire).is_err());
    let mut wire = wire::Observation::from(&observation());
    wire.node = String::new();
    assert!(Observation::try_from(&wire).is_err());
    let wire = wire::Observation::from(&observation().with("load", Value::Real(f64::NAN)));
    assert!(Observation::try_from(&wire).is_err());
    let mut deep = Value::Bool(true);
    for _ in 0..40 {
        deep = Value::List(vec![deep]);
    }
    let wire = wire::Observation::from(&observation().with("deep", deep));
    assert!(Observation::try_from(&wire).is_err());
}
