//! Incarnations follow one another as profiles do, and what one left is kept for the next to send.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use fathom_identity::authority::{Authority, Leaf};
use fathom_model::{Device, IoColumns, IoEvent, Op, Tap};
use fathom_proto::collect::v1 as wire;
use fathom_sources::{Batch, Description, Polled};

use super::*;

// What a process takes under Wine says nothing of Windows.
#[cfg(not(windows))]
mod flood;

/// Gives one event and is quiet then.
struct Fake {
    profile: Profile,
    given: bool,
}

impl Source for Fake {
    fn describe(&self) -> Description {
        Description {
            node: "n".into(),
            incarnation: None,
            taps: self.profile.taps(100),
            covered_from_unix_nanos: Some(1),
            topology: None,
            anchor: Some((5, 6)),
        }
    }

    fn devices(&self) -> &[Device] {
        &[]
    }

    fn seek(&mut self, _: u64) -> fathom_sources::Result<()> {
        Ok(())
    }

    fn poll(&mut self, _: Duration, _: usize) -> fathom_sources::Result<Polled> {
        if std::mem::replace(&mut self.given, true) {
            return Ok(Polled::Later(Duration::from_millis(1)));
        }
        let event = IoEvent {
            tap: Tap::Device,
            device: 0,
            op: Op::Write,
            offset: 0,
            length: 1,
            start_unix_nanos: 5,
            duration_nanos: 1,
            status: 0,
            correlation: None,
        };
        Ok(Polled::Events(Batch {
            first_ordinal: 0,
            columns: IoColumns::from_iter([event]),
            complete_until_unix_nanos: 6,
        }))
    }
}

fn config(folder: &std::path::Path) -> Config {
    #[expect(
        clippy::disallowed_methods,
        reason = "certificates are checked against the real clock"
    )]
    let now = SystemTime::now();
    let authority = Authority::throw_away("test", now, Duration::from_secs(600)).unwrap();
    authority.write_to(folder, "ca").unwrap();
    let leaf = Leaf {
        common_name: "n".to_owned(),
        client: true,
        not_before: now,
        valid: Duration::from_secs(600),
        ..Leaf::default()
    };
    authority.issue(&leaf).unwrap().write_to(folder, "n").unwrap();
    let text = |name: &str| folder.join(name).display().to_string();
    Config::resolve(Options {
        // Nobody listens there: what is spooled stays.
        coordinator: Some("https://127.0.0.1:1".to_owned()),
        cluster: Some("c".to_owned()),
        node: Some("n".to_owned()),
        ca: Some(text("ca.crt").into()),
        cert: Some(text("n.crt").into()),
        key: Some(text("n.key").into()),
        spool: Some(text("spool").into()),
        source: Some(config::SourceKind::Etw),
        profile: Some(Profile::SlowOnly),
        ..Options::default()
    })
    .unwrap()
}

#[tokio::test]
async fn another_profile_is_another_incarnation_and_a_refused_one_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let opened: Arc<Mutex<Vec<Profile>>> = Arc::default();
    let (orders, seen) = (Arc::new(Orders::new(Some(Profile::SlowOnly))), Arc::clone(&opened));
    let opener: Opener = Arc::new(move |_, profile| {
        let profile = profile.unwrap();
        seen.lock().unwrap().push(profile);
        if profile == Profile::Full {
            return Err(Error::Random {
                reason: "no rights".to_owned(),
            });
        }
        Ok(Box::new(Fake { profile, given: false }))
    });
    let tasks = TaskGroup::new(Shutdown::new());
    let health = Health::new(Arc::clone(&orders));
    let order = |profile: wire::Profile| wire::ProfileOrder {
        profile: profile.into(),
        for_nanos: 3_600_000_000_000,
    };
    let life = Life {
        config: &config,
        tasks: &tasks,
        orders: &orders,
        health: &health,
        opener: &opener,
    };
    let mut started = Some(|| ());
    for (profile, ordered) in [
        (Profile::SlowOnly, wire::Profile::Writes),
        (Profile::Writes, wire::Profile::Full),
    ] {
        let mut before = None;
        let running = life.run(&mut started, &mut before);
        let switch = async {
            while opened.lock().unwrap().last() != Some(&profile) || health.status().spool_bytes == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            orders.take(Some(&order(ordered)));
        };
        let (ended, ()) = tokio::join!(running, switch);
        assert!(matches!(ended.unwrap(), Ended::Other));
        health.note(None, 0);
    }
    // The third cannot be opened as ordered: it goes on as configured, and says why.
    let mut before = None;
    let running = life.run(&mut started, &mut before);
    let stop = async {
        while opened.lock().unwrap().len() < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        tasks.shutdown().request(Cause::Requested("test"));
    };
    let (ended, ()) = tokio::join!(running, stop);
    assert!(matches!(ended.unwrap(), Ended::Stopped));
    assert_eq!(
        *opened.lock().unwrap(),
        [Profile::SlowOnly, Profile::Writes, Profile::Full, Profile::SlowOnly]
    );
    let status = health.status();
    assert!(
        status.troubles.iter().any(|trouble| trouble.contains("no rights")),
        "{:?}",
        status.troubles
    );
    assert_eq!(
        (status.profile(), status.ordered_for_nanos),
        (wire::Profile::SlowOnly, None)
    );
    tasks.shutdown_and_wait(GRACE).await.unwrap();
    let folders = std::fs::read_dir(&config.spool).unwrap().count();
    assert_eq!(folders, 3, "each incarnation has its spool, to be sent by the next");
}
