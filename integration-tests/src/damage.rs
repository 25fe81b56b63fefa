//! Damages a recording in a known way, with its truth kept in step.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use fathom_capture::{EventWriter, Recording, TruthReader, TruthWrite, write_truth};
use serde_json::{Value, json};

/// Kinds of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Each node's recording begins late and ends early, at times of its own.
    Cut,
    /// Each node lost three stretches of rows, 2 % each.
    Holes,
    /// One target node has no recording at all.
    NoNode,
    /// Every clock is off by up to a second more and drifts by up to 100 ppm more.
    Clocks,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Cut, Self::Holes, Self::NoNode, Self::Clocks];
}

/// Simple deterministic noise.
#[derive(Debug)]
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From `from` up to but without `until`.
    fn within(&mut self, from: i64, until: i64) -> i64 {
        from + (self.next() >> 1) as i64 % (until - from).max(1)
    }
}

/// Writes a damaged copy of a recording: events, truth with rows renumbered, and a run.json whose clocks tell what they are now.
pub fn damage(from: &Path, to: &Path, kind: Kind, seed: u64) {
    let recording = Recording::open(from).unwrap();
    let mut noise = Noise(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..5 {
        noise.next();
    }
    fs::create_dir_all(to).unwrap();
    let targets: Vec<String> = recording.run().topology.targets.clone();
    let gone = (kind == Kind::NoNode).then(|| targets[noise.next() as usize % targets.len()].clone());
    let mut run: Value = serde_json::from_str(&fs::read_to_string(from.join("run.json")).unwrap()).unwrap();
    run.as_object_mut().unwrap().remove("counts");
    // Rows of each node's file by what they are now; rows that are gone have none.
    let mut renumbered: BTreeMap<String, BTreeMap<u64, u64>> = BTreeMap::new();
    for node in recording.nodes() {
        let name = node.id.to_string();
        let map = renumbered.entry(name.clone()).or_default();
        let Some(path) = node.events.as_ref().filter(|_| gone.as_ref() != Some(&name)) else {
            continue;
        };
        let mut rows = lines(path);
        let keep = kept(kind, &rows, &mut noise);
        if kind == Kind::Clocks {
            let epoch = run["clocks"][&name]["epoch_ns"].as_i64().unwrap();
            let offset = noise.within(-1_000_000_000, 1_000_000_001);
            let ppm = noise.within(-100_000, 100_001) as f64 / 1000.0;
            run["clocks"][&name]["extra_offset_ns"] = json!(offset);
            run["clocks"][&name]["extra_drift_ppm"] = json!(ppm);
            for row in &mut rows {
                let start = row["start_ns"].as_i64().unwrap();
                let moved = offset + ((start - epoch) as f64 * ppm / 1e6).round() as i64;
                row["start_ns"] = json!(start + moved);
                let duration = row["duration_ns"].as_i64().unwrap() as f64;
                row["duration_ns"] = json!((duration * (1.0 + ppm / 1e6)).round() as u64);
            }
        }
        let mut writer = EventWriter::create(&to.join(format!("events-{name}.jsonl.zst"))).unwrap();
        for (at, row) in rows.iter().enumerate().filter(|(at, _)| keep[*at]) {
            map.insert(at as u64, map.len() as u64);
            writer.write(row).unwrap();
        }
        writer.finish().unwrap();
    }
    fs::write(to.join("run.json"), serde_json::to_string(&run).unwrap()).unwrap();
    let truth: Vec<TruthWrite> = TruthReader::open(&recording.truth().unwrap())
        .unwrap()
        .map(Result::unwrap)
        .filter_map(|write| renumber(write, &renumbered))
        .collect();
    write_truth(&to.join("truth.jsonl.zst"), &truth).unwrap();
}

/// Copies a recording without its truth, its clocks and its fault: what a join is given.
pub fn strip(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let mut run: Value = serde_json::from_str(&fs::read_to_string(from.join("run.json")).unwrap()).unwrap();
    for key in [
        "clocks",
        "fault",
        "truth",
        "truth_checks",
        "counts",
        "latency_us",
        "about",
    ] {
        run.as_object_mut().unwrap().remove(key);
    }
    fs::write(to.join("run.json"), serde_json::to_string(&run).unwrap()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("events-") {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

fn lines(path: &Path) -> Vec<Value> {
    use std::io::{BufRead, BufReader};
    // The reader of the crate under test is not trusted with the damage.
    let unpacked = BufReader::new(zstd::Decoder::new(fs::File::open(path).unwrap()).unwrap());
    unpacked
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect()
}

fn kept(kind: Kind, rows: &[Value], noise: &mut Noise) -> Vec<bool> {
    let mut keep = vec![true; rows.len()];
    match kind {
        Kind::Cut => {
            let end = |row: &Value| row["start_ns"].as_i64().unwrap() + row["duration_ns"].as_i64().unwrap();
            let (low, high) = (rows.iter().map(end).min().unwrap(), rows.iter().map(end).max().unwrap());
            let tenth = (high - low) / 10;
            let first = low + noise.within(tenth, tenth * 3 / 2);
            let last = high - noise.within(tenth, tenth * 3 / 2);
            for (at, row) in rows.iter().enumerate() {
                keep[at] = (first..=last).contains(&end(row));
            }
        }
        Kind::Holes => {
            for _ in 0..3 {
                let at = noise.next() as usize % rows.len().max(1);
                let until = rows.len().min(at + rows.len() / 50);
                keep[at..until].fill(false);
            }
        }
        Kind::NoNode | Kind::Clocks => {}
    }
    keep
}

fn renumber(mut write: TruthWrite, rows: &BTreeMap<String, BTreeMap<u64, u64>>) -> Option<TruthWrite> {
    let own = &rows[&write.node];
    write.write = *own.get(&write.write)?;
    for copy in &mut write.copies {
        let there = &rows[&copy.node];
        let moved =
            |list: &[u64], map: &BTreeMap<u64, u64>| list.iter().filter_map(|row| map.get(row).copied()).collect();
        copy.initiator_rows = moved(&copy.initiator_rows, own);
        copy.target_rows = moved(&copy.target_rows, there);
        copy.device_rows = moved(&copy.device_rows, there);
    }
    Some(write)
}
