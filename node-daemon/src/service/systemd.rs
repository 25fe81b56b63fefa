//! A unit of systemd.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Error, NAME, Plan, Result};

/// Where an administrator's units are.
const UNITS: &str = "/etc/systemd/system";

/// The account of the service, where no other is named.
const ACCOUNT: &str = NAME;

pub(super) fn install(plan: &Plan) -> Result<()> {
    let account = plan.account.as_deref().unwrap_or(ACCOUNT);
    let unit = unit(plan, account);
    if plan.dry_run {
        print!("{unit}");
        return Ok(());
    }
    let file = file();
    if file.exists() {
        return Err(Error::Present);
    }
    let owner = Owner::of(account)?;
    for folder in writable(plan) {
        owner.give(&folder)?;
    }
    fs::write(&file, unit).map_err(Error::system(format!("write {}", file.display())))?;
    let registered = systemctl(&["daemon-reload"]).and_then(|()| {
        let enable: &[&str] = if plan.start {
            &["enable", "--now", NAME]
        } else {
            &["enable", NAME]
        };
        systemctl(enable)
    });
    if let Err(error) = registered {
        // Nothing is left half done; that it failed is what counts.
        let _ = fs::remove_file(&file);
        let _ = systemctl(&["daemon-reload"]);
        return Err(error);
    }
    println!("installed {} to run as {account}", file.display());
    println!("`journalctl -u {NAME}` shows its log");
    Ok(())
}

pub(super) fn uninstall() -> Result<()> {
    let file = file();
    if !file.exists() {
        return Err(Error::Absent);
    }
    systemctl(&["disable", "--now", NAME])?;
    fs::remove_file(&file).map_err(Error::system(format!("delete {}", file.display())))?;
    systemctl(&["daemon-reload"])?;
    println!("removed {}", file.display());
    Ok(())
}

fn file() -> PathBuf {
    Path::new(UNITS).join(format!("{NAME}.service"))
}

/// The unit's text. It may read what its account may, write its spool and its log, and do nothing else.
fn unit(plan: &Plan, account: &str) -> String {
    let program = plan.program.to_string_lossy();
    let config = plan.config_file.to_string_lossy();
    let writable: Vec<String> = writable(plan)
        .iter()
        .map(|folder| quoted(&folder.to_string_lossy(), false))
        .collect();
    format!(
        "[Unit]\n\
         Description=Fathom node daemon\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         # Restarted for ever: what it cannot send it keeps.\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         ExecStart={} run --config {}\n\
         User={account}\n\
         Restart=on-failure\n\
         RestartSec=5\n\
         # 2 is a configuration that is wrong, and stays so.\n\
         RestartPreventExitStatus=2\n\
         # It has 5 s of its own to end its tasks in.\n\
         TimeoutStopSec=15\n\
         ReadWritePaths={}\n\
         ProtectSystem=strict\n\
         ProtectHome=read-only\n\
         PrivateTmp=yes\n\
         PrivateDevices=yes\n\
         ProtectKernelTunables=yes\n\
         ProtectKernelModules=yes\n\
         ProtectControlGroups=yes\n\
         NoNewPrivileges=yes\n\
         CapabilityBoundingSet=\n\
         RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\n\
         RestrictSUIDSGID=yes\n\
         LockPersonality=yes\n\
         UMask=0077\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        quoted(&program, true),
        quoted(&config, true),
        writable.join(" ")
    )
}

/// Folders that the service writes.
fn writable(plan: &Plan) -> Vec<PathBuf> {
    let mut folders = vec![plan.config.spool.clone()];
    folders.extend(
        plan.config
            .log_file
            .as_ref()
            .and_then(|file| file.parent())
            .map(Path::to_owned),
    );
    folders
}

/// A word as systemd reads it (systemd.syntax, systemd.service): `%` names things of systemd's, `$` in a command variables.
fn quoted(word: &str, command: bool) -> String {
    let mut text = String::from("\"");
    for character in word.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            '%' => text.push_str("%%"),
            '$' if command => text.push_str("$$"),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

/// Who owns what the service writes.
#[derive(Clone, Copy)]
struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    fn of(account: &str) -> Result<Self> {
        let id = |option: &str| {
            // An account of only digits, or with a dash in front, is a name here and no option.
            let asked = Command::new("id").args([option, "--", account]).output();
            let asked = asked.map_err(Error::system("ask for the account"))?;
            let text = String::from_utf8_lossy(&asked.stdout).trim().parse().ok();
            text.filter(|_| asked.status.success()).ok_or_else(|| Error::Account {
                account: account.to_owned(),
            })
        };
        Ok(Self {
            user: id("-u")?,
            group: id("-g")?,
        })
    }

    /// Makes a folder where there is none, for this owner. One that is there keeps its own.
    fn give(self, folder: &Path) -> Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(folder).map_err(Error::system(format!("make {}", folder.display())))?;
        self.own(folder)
            .map_err(Error::system(format!("give away {}", folder.display())))
    }

    fn own(self, folder: &Path) -> std::io::Result<()> {
        std::os::unix::fs::chown(folder, Some(self.user), Some(self.group))
    }
}

fn systemctl(arguments: &[&str]) -> Result<()> {
    let command = || format!("systemctl {}", arguments.join(" "));
    let ran = Command::new("systemctl")
        .args(arguments)
        .output()
        .map_err(Error::system(format!("run `{}`", command())))?;
    if ran.status.success() {
        return Ok(());
    }
    Err(Error::Command {
        command: command(),
        said: String::from_utf8_lossy(&ran.stderr).trim().to_owned(),
    })
}

#[cfg(test)]
mod tests;
