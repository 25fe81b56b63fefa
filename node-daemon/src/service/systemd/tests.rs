use super::*;
use crate::service::tests::config;

#[test]
fn words_are_quoted_as_systemd_reads_them() {
    assert_eq!(quoted(r#"/a b/"c"\%d$e"#, true), r#""/a b/\"c\"\\%%d$$e""#);
    assert_eq!(quoted("$", false), "\"$\"");
}

#[test]
fn a_unit_restarts_after_failures_and_not_after_a_wrong_configuration() {
    let plan = Plan {
        program: "/usr/bin/fathom-node".into(),
        config_file: "/etc/fathom/node 1.toml".into(),
        config: config("/var/lib/fathom/spool", Some("/var/log/fathom/node.log")),
        account: None,
        start: false,
        dry_run: true,
    };
    let unit = unit(&plan, ACCOUNT);
    for line in [
        r#"ExecStart="/usr/bin/fathom-node" run --config "/etc/fathom/node 1.toml""#,
        "User=fathom-node",
        "Restart=on-failure",
        "RestartPreventExitStatus=2",
        r#"ReadWritePaths="/var/lib/fathom/spool" "/var/log/fathom""#,
        "CapabilityBoundingSet=",
    ] {
        assert!(unit.lines().any(|found| found == line), "`{line}` is not in {unit}");
    }
}
