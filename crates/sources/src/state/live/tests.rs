//! Everything is said once, then what changes; what hangs is said and hangs alone; only the reporter asks for the cluster.

use std::time::Instant;

use fathom_state::Raw;

use super::*;

/// Answers each class with one object; the connections' namespace hangs until it is let go.
struct Fake {
    gate: Option<Arc<std::sync::Mutex<Receiver<()>>>>,
}

impl Reader for Fake {
    fn read(&mut self, class: &'static schema::Class) -> Result<Vec<Bag>, String> {
        if let Some(gate) = self.gate.take() {
            let _ = gate.lock().expect("nobody panics").recv();
        }
        let mut bag = Bag::default();
        bag.class = Some(class.names[0].to_owned());
        // Of whatever names the object.
        for property in class.properties {
            bag.set(property.from[0], Raw::Text("1".to_owned()));
        }
        match class.kind {
            Kind::QosDcbx => Err("no such class".to_owned()),
            _ => Ok(vec![bag.with("Name", Raw::Text("one".to_owned()))]),
        }
    }
}

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
    };
    let source = LiveState::start("n1".into(), 1_000, 7, Arc::clone(&reporter), open).expect("threads");
    (source, reporter)
}

fn sources(all: &[Observation]) -> Vec<&str> {
    all.iter()
        .filter(|row| row.kind == Kind::Source)
        .filter_map(|row| row.text("class"))
        .collect()
}

const AT: Duration = Duration::from_secs(31);

#[test]
fn only_the_reporter_asks_for_the_cluster() {
    let of_node = schema::classes()
        .filter(|class| !class.namespace.is_empty() && class.kind.scope() == Scope::Node)
        .count();
    let all = schema::classes().filter(|class| !class.namespace.is_empty()).count();
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
    let said = gather(&mut source, AT + Duration::from_secs(60), |said| {
        sources(said).len() >= all
    });
    assert!(said.iter().any(|row| row.kind == Kind::Disk));
    assert!(
        said.iter()
            .filter(|row| row.flag("available") == Some(true))
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
    let late = |said: &[Observation]| {
        said.iter()
            .filter(|row| row.text("reason") == Some("no answer within 30 s"))
            .count()
            == 2
    };
    gather(&mut source, AT + LIMIT, late);
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
