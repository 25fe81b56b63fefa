use super::*;
use crate::config::Replay;

/// A configuration with these two paths, and all others absolute on Unix.
pub(super) fn config(spool: &str, log_file: Option<&str>) -> Config {
    Config {
        coordinator: "https://c:7443".to_owned(),
        cluster: "a".into(),
        node: "n".into(),
        ca: "/keys/ca.crt".into(),
        certificate: "/keys/n.crt".into(),
        key: "/keys/n.key".into(),
        spool: spool.into(),
        spool_bytes: 1 << 30,
        source: Source::Replay(Replay {
            recording: "/recording".into(),
            without: Vec::new(),
            pace: None,
        }),
        batch_events: 4096,
        log_file: log_file.map(PathBuf::from),
    }
}

#[cfg(unix)]
#[test]
fn a_service_needs_absolute_paths() {
    assert_eq!(unfit(&config("/spool", None), false), Vec::<String>::new());
    let faults = unfit(&config("spool", Some("node.log")), false);
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].starts_with("spool must be") && faults[1].starts_with("log-file must be"));
}

#[cfg(unix)]
#[test]
fn a_service_without_a_console_needs_a_log_file() {
    let faults = unfit(&config("/spool", None), true);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].contains("log-file is missing"));
}
