//! Everything is said once, then what changes; what hangs is said and hangs alone; only the reporter asks for the cluster.

use std::time::Instant;

use fathom_model::state::Scope;
use fathom_state::{Bag, Raw, schema};

use super::*;

/// Answers each class with one object; the connections' namespace hangs until it is let go. Counters rise by a hundred a reading,
/// and nobody has such an adapter as counts pauses.
struct Fake {
    gate: Option<Arc<std::sync::Mutex<Receiver<()>>>>,
    total: i128,
}

impl Reader for Fake {
    fn read(&mut self, name: &'static str) -> Result<Objects, String> {
        if let Some(gate) = self.gate.take() {
            let _ = gate.lock().expect("nobody panics").recv();
        }
        let Some(class) = schema::classes().find(|class| class.names[0] == name) else {
            self.total += 100;
            return if name.contains("Mellanox") {
                Err("no such class".to_owned())
            } else {
                let object = Bag::default().with("Name", Raw::Text("to n2".to_owned()));
                Ok(vec![object.with("StallsSendCreditPersec", Raw::Integer(self.total))].into())
            };
        };
        let mut bag = Bag::default();
        bag.class = Some(class.names[0].to_owned());
        // Of whatever names the object.
        for property in class.properties {
            bag.set(property.from[0], Raw::Text("1".to_owned()));
        }
        match class.kind {
            Kind::QosDcbx => Err("no such class".to_owned()),
            _ => Ok(vec![bag.with("Name", Raw::Text("one".to_owned()))].into()),
        }
    }

    fn events(&mut self, channel: &'static Channel) -> Result<Vec<String>, String> {
        match channel.kind {
            Kind::SmbEvent => {
                let known = std::mem::replace(&mut self.total, 2);
                let new = EVENTS.iter().skip(known as usize);
                Ok(new.map(|event| (*event).to_owned()).collect())
            }
            _ => Err("the channel is switched off".to_owned()),
        }
    }
}

/// An event of the SMB client and one of nobody.
const EVENTS: [&str; 2] = [
    "<Event><System><Provider Name='Microsoft-Windows-SMBClient'/><EventID>30804</EventID><TimeCreated SystemTime='2026-09-22T03:13:00Z'/>\
     <EventRecordID>7</EventRecordID></System><EventData><Data Name='ServerName'>n2</Data></EventData></Event>",
    "<Event><System><Provider Name='X'/><EventID>1</EventID></System></Event>",
];

/// Polls at moments of the source's own time until `enough`, waiting for the threads.
fn gather(source: &mut LiveState, at: Duration, enough: impl Fn(&[Observation]) -> bool) -> Vec<Observation> {
    let began = Instant::now();
    let mut all = Vec::new();
    while !enough(&all) {
        assert!(began.elapsed() < Duration::from_secs(20), "{all:?}");
        match source.poll(at, 1000).expect("it polls") {
            StatePolled::Rows(batch) => all.extend(batch.observations),
            StatePolled::Later(_) => thread::sleep(Duration::from_millis(5)),
            StatePolled::End => panic!("it never ends"),
        }
    }
    all
}

fn start(reporter: bool, gate: Option<Receiver<()>>) -> (LiveState, Arc<AtomicBool>) {
    let reporter = Arc::new(AtomicBool::new(reporter));
    let gate = gate.map(|gate| Arc::new(std::sync::Mutex::new(gate)));
    let open = move |namespace: &'static str| Fake {
        gate: gate.clone().filter(|_| namespace.ends_with("SMB")),
        total: 0,
    };
    let source = LiveState::start("n1".into(), 1_000, 7, Arc::clone(&reporter), open).expect("threads");
    (source, reporter)
}

fn sources(all: &[Observation]) -> Vec<&str> {
    all.iter()
        .filter(|row| row.kind == Kind::Source && !matches!(row.text("kind"), Some("counters" | "smb_event")))
        .filter_map(|row| row.text("class"))
        .collect()
}

const AT: Duration = Duration::from_secs(31);

#[test]
fn only_the_reporter_asks_for_the_cluster() {
    let of_node = schema::classes()
        .filter(|class| !class.namespace.is_empty() && class.kind.scope() == Scope::Node)
        .count();
    // What a node reads of its own every quarter of an hour is not read again in the two minutes after.
    let soon = schema::classes().filter(|class| {
        let is_seldom = class.kind.scope() == Scope::Node && every(class.kind) > Duration::from_secs(120);
        !class.namespace.is_empty() && !is_seldom
    });
    let all = soon.count();
    let (mut source, reporter) = start(false, None);
    let said = gather(&mut source, AT, |said| sources(said).len() >= of_node);
    assert_eq!(sources(&said).len(), of_node);
    assert!(
        said.iter()
            .all(|row| row.node.as_str() == "n1" && row.kind != Kind::Disk)
    );
    let missing = said
        .iter()
        .find(|row| row.text("class") == Some("MSFT_NetQosDcbxSettingData"))
        .expect("it is said");
    assert_eq!(
        (missing.flag("available"), missing.text("reason")),
        (Some(false), Some("no such class"))
    );
    // Named by the coordinator it reads the rest too, and says everything anew.
    reporter.store(true, Ordering::Relaxed);
    let said = gather(&mut source, AT + Duration::from_secs(140), |said| {
        sources(said).len() >= all
    });
    assert!(said.iter().any(|row| row.kind == Kind::Disk));
    // Each says how often it is read.
    let rate = |class: &str| {
        let row = said.iter().find(|row| row.text("class") == Some(class));
        row.and_then(|row| row.number("every_s"))
    };
    assert_eq!(
        (
            rate("MSFT_PhysicalExtent"),
            rate("MSFT_StorageJob"),
            rate("MSFT_NetAdapter")
        ),
        (Some(300), Some(10), Some(60))
    );
    assert!(
        said.iter()
            .filter(|row| row.flag("available") == Some(true)
                && !matches!(row.text("kind"), Some("counters" | "smb_event")))
            .all(|row| row.flag("full") == Some(true))
    );
}

#[test]
fn what_hangs_is_said_and_hangs_alone() {
    let (go, gate) = sync_channel(1);
    let (mut source, _reporter) = start(false, Some(gate));
    let others = |said: &[Observation]| {
        said.iter().any(|row| row.kind == Kind::Adapter) && said.iter().any(|row| row.kind == Kind::Source)
    };
    let said = gather(&mut source, AT, others);
    assert!(said.iter().all(|row| row.kind != Kind::SmbConnection));
    let is_asked = |asked: &Asked| asked.since.is_some() && asked.what.name().starts_with("MSFT_Smb");
    while !source.asked.iter().any(is_asked) {
        source.poll(AT, 1000).expect("it polls");
        thread::sleep(Duration::from_millis(1));
    }
    let late = |said: &[Observation], reason: &str| {
        let own = |row: &&Observation| row.text("class").is_some_and(|class| class.starts_with("MSFT_Smb"));
        let all = said.iter().filter(own).filter_map(|row| row.text("reason"));
        all.filter(|own| own.starts_with(reason)).count()
    };
    let said = gather(&mut source, AT + LIMIT, |said| {
        late(said, "no answer within 30 s") + late(said, "not asked: ") == 2
    });
    // What was never asked did not fail to answer.
    assert_eq!((late(&said, "no answer"), late(&said, "not asked: MSFT_Smb")), (1, 1));
    go.send(()).expect("it waits");
    let answered = |said: &[Observation]| said.iter().any(|row| row.kind == Kind::SmbConnection);
    gather(&mut source, AT + LIMIT, answered);
}

#[test]
fn what_stays_the_same_is_said_once() {
    let (mut source, _reporter) = start(false, None);
    let first = gather(&mut source, AT, |said| {
        said.iter().any(|row| row.text("class") == Some("MSFT_NetAdapter"))
    });
    assert!(first.iter().any(|row| row.kind == Kind::Adapter));
    let later = AT + Duration::from_secs(120);
    let again = gather(&mut source, later, |said| {
        said.iter().any(|row| row.text("class") == Some("MSFT_NetAdapter"))
    });
    assert!(again.iter().all(|row| row.kind != Kind::Adapter));
}

#[test]
fn counters_are_read_as_rates_and_one_that_is_not_there_ever_more_seldom() {
    let (mut source, _reporter) = start(false, None);
    let (mut samples, mut said) = (Vec::new(), Vec::new());
    let began = Instant::now();
    let is_pause = |row: &&Observation| row.text("class").is_some_and(|class| class.contains("Mellanox"));
    let is_stall = |sample: &&Sample| sample.name == "smb_direct.stalls_send_credit_per_s";
    // Two minutes of the source's own time, in steps of a second.
    for second in 0..120 {
        let at = Duration::from_secs(second);
        loop {
            assert!(began.elapsed() < Duration::from_secs(60));
            match source.poll(at, 1000).expect("it polls") {
                StatePolled::Rows(batch) => {
                    said.extend(batch.observations);
                    samples.extend(batch.samples);
                }
                StatePolled::Later(_) if source.asked.iter().any(|asked| asked.queued.is_some()) => {
                    thread::sleep(Duration::from_millis(1));
                }
                StatePolled::Later(_) => break,
                StatePolled::End => panic!("it never ends"),
            }
        }
    }
    let stalls: Vec<&Sample> = samples.iter().filter(is_stall).collect();
    assert!((9..=13).contains(&stalls.len()), "{}", stalls.len());
    assert!(
        stalls
            .iter()
            .all(|sample| sample.value > 0.0 && sample.id == "to n2" && sample.node.as_str() == "n1")
    );
    let failed: Vec<&Observation> = said.iter().filter(is_pause).collect();
    assert_eq!(failed[0].text("reason"), Some("no such class"));
    // Asked at about 0, 20, 60 and 140 s after the first time, and news only when a minute has passed.
    assert!((1..=3).contains(&failed.len()), "{failed:?}");
}

#[test]
fn what_happens_is_said_once_with_its_own_time_and_a_channel_that_is_off_is_said_to_be() {
    let (mut source, _reporter) = start(false, None);
    let log = |said: &[Observation]| -> Vec<(Option<bool>, String)> {
        let rows = said
            .iter()
            .filter(|row| row.kind == Kind::Source && row.id.contains("Microsoft-Windows-S"));
        rows.map(|row| {
            let of = row.text("reason").unwrap_or_default().to_owned();
            (row.flag("available"), of)
        })
        .collect()
    };
    let first = gather(&mut source, AT, |said| log(said).len() == 3);
    let happened: Vec<&Observation> = first.iter().filter(|row| row.kind == Kind::SmbEvent).collect();
    assert_eq!(happened.len(), 1);
    assert_eq!(
        (happened[0].id.as_str(), happened[0].observed_unix_nanos),
        ("n2/Disconnected", 1_790_046_780_000_000_000)
    );
    let mut reasons = log(&first);
    reasons.sort();
    assert!(
        reasons[0].1.contains("of 2 events 1 could not be decoded")
            && reasons[1..]
                .iter()
                .all(|(_, reason)| reason == "the channel is switched off"),
        "{reasons:?}"
    );
    // The channel itself can be read, and says so; it is asked on.
    let again = gather(&mut source, AT + Duration::from_secs(20), |said| {
        log(said).iter().any(|(available, _)| *available == Some(true))
    });
    assert!(again.iter().all(|row| row.kind != Kind::SmbEvent));
}

#[test]
fn a_class_that_keeps_failing_is_asked_ever_more_seldom_and_at_its_own_rate_again_once_it_answers() {
    let class = "MSFT_NetQosDcbxSettingData";
    let (mut source, _reporter) = start(false, None);
    let number = source
        .asked
        .iter()
        .position(|asked| asked.what.name() == class)
        .unwrap();
    let mut waits = Vec::new();
    for _ in 0..6 {
        let at = source.asked[number].due;
        source.say(number, Err("no such class".to_owned()), at);
        waits.push((source.asked[number].due - at).as_secs_f64());
        source.asked[number].round += 1;
    }
    for (wait, wanted) in waits.iter().zip([120.0, 240.0, 480.0, 600.0, 600.0, 600.0]) {
        assert!((wait / wanted - 1.0).abs() <= 0.101, "{waits:?}");
    }
    // No two are the same.
    assert!(waits[3] != waits[4] && waits[4] != waits[5], "{waits:?}");
    source.say(number, Ok(Got::Objects(Objects::default())), Duration::ZERO);
    assert_eq!(
        (source.asked[number].failed, source.asked[number].pause()),
        (0, Duration::from_secs(60))
    );
}

#[test]
fn what_goes_to_the_drives_keeps_nothing_else_waiting() {
    let (source, _reporter) = start(true, None);
    let worker = |class: &str| {
        source
            .asked
            .iter()
            .find(|asked| asked.what.name() == class)
            .map(|asked| asked.worker)
    };
    let slow = [
        "MSFT_StorageReliabilityCounter",
        "MSFT_PhysicalExtent",
        "NvmeHealthLog",
        "MSFT_FileIntegrity",
    ]
    .map(worker);
    let lanes: std::collections::BTreeSet<_> = slow.iter().flatten().collect();
    assert_eq!(lanes.len(), slow.len(), "{slow:?}");
    let others = source
        .asked
        .iter()
        .filter(|asked| !slow.contains(&Some(asked.worker)))
        .count();
    assert_eq!(others, source.asked.len() - slow.len());
    assert_eq!(worker("MSFT_StorageJob"), worker("MSFT_PhysicalDisk"));
}
