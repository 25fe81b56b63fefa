use super::*;
use crate::service::tests::config;

fn plan(account: Option<&str>) -> Plan {
    Plan {
        program: r"C:\Program Files\Fathom\fathom-node.exe".into(),
        config_file: r"C:\ProgramData\Fathom\node.toml".into(),
        config: config(r"C:\ProgramData\Fathom\spool", None),
        account: account.map(str::to_owned),
        start: false,
        dry_run: true,
    }
}

#[test]
fn a_service_runs_as_an_account_of_its_own_with_its_configuration_alone() {
    let info = info(&plan(None));
    assert_eq!(info.account_name, Some(r"NT SERVICE\fathom-node".into()));
    assert_eq!(info.account_password, None);
    let words = ["run", "--service", "--config", r"C:\ProgramData\Fathom\node.toml"];
    assert_eq!(info.launch_arguments, words.map(OsString::from));
    assert_eq!(info.start_type, ServiceStartType::AutoStart);
}

#[test]
fn the_system_has_no_name_as_an_account() {
    assert_eq!(info(&plan(Some("localsystem"))).account_name, None);
    assert_eq!(
        info(&plan(Some(r"AD\fathom$"))).account_name,
        Some(r"AD\fathom$".into())
    );
}
