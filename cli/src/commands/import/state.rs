//! `fathom import` of what cmdlets and support folders say.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fathom_coordinator::offline::{StateStream, Stored, store_state_blocking};
use fathom_lab::import::{StateFile, StateImport, is_state, read_state};
use fathom_model::state::{Observation, Sample};
use fathom_model::{ClusterId, Incarnation, NodeId};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::args::{ImportArgs, Output};
use crate::commands::print;
use crate::error::{Error, Result};
use crate::exit::Code;
use crate::render::json;
use crate::render::table::many_lines;

/// The paths that are state, each with the node that was given for it.
pub(super) fn paths(arguments: &ImportArgs) -> Vec<(Option<NodeId>, PathBuf)> {
    let unnamed = arguments.paths.iter().map(|path| (None, path.clone()));
    let named = arguments
        .node
        .iter()
        .map(|(node, path)| (Some(NodeId::new(node.as_str())), path.clone()));
    unnamed.chain(named).filter(|(_, path)| is_state(path)).collect()
}

pub(super) fn run(arguments: &ImportArgs, paths: &[(Option<NodeId>, PathBuf)], output: Output) -> Result<Code> {
    if paths.len() < arguments.paths.len() + arguments.node.len() {
        return Err(Error::Mixed);
    }
    let cluster = NodeId::new(arguments.cluster.as_str());
    let mut import = StateImport::default();
    for (node, path) in paths {
        let read = read_state(std::slice::from_ref(path), node.as_ref(), &cluster, arguments.at)?;
        import.files.extend(read.files);
        import.observations.extend(read.observations);
        import.samples.extend(read.samples);
    }
    import
        .observations
        .sort_by_key(|observation| observation.observed_unix_nanos);
    let stored = match &arguments.store {
        Some(store) => {
            let cluster = ClusterId::new(arguments.cluster.as_str());
            Some(store_state_blocking(
                store,
                &cluster,
                streams(&import.observations, &import.samples),
            )?)
        }
        None => None,
    };
    match output {
        Output::Json => json::print(document(arguments, &import, stored))?,
        Output::Table => print(&many_lines(&lines(arguments, &import, stored)))?,
    }
    Ok(
        if import.files.iter().all(StateFile::is_whole)
            && !(import.observations.is_empty() && import.samples.is_empty())
        {
            Code::Fine
        } else {
            Code::Partial
        },
    )
}

/// A stream a node, named by what is in it.
fn streams(observations: &[Observation], samples: &[Sample]) -> Vec<StateStream> {
    let mut by_node: BTreeMap<NodeId, (Vec<Observation>, Vec<Sample>)> = BTreeMap::new();
    for observation in observations {
        let own = by_node.entry(observation.node.clone()).or_default();
        own.0.push(observation.clone());
    }
    for sample in samples {
        by_node.entry(sample.node.clone()).or_default().1.push(sample.clone());
    }
    let streams = by_node.into_iter().map(|(node, (observations, samples))| {
        let mut hash = Sha256::new();
        hash.update(b"fathom state 1\0");
        for observation in &observations {
            hash.update(serde_json::to_vec(observation).unwrap_or_default());
            hash.update(b"\n");
        }
        for sample in &samples {
            hash.update(serde_json::to_vec(sample).unwrap_or_default());
            hash.update(b"\n");
        }
        let mut incarnation = [0; 16];
        incarnation.copy_from_slice(&hash.finalize()[..16]);
        StateStream {
            node,
            incarnation: Incarnation::from_bytes(incarnation),
            observations,
            samples,
        }
    });
    streams.collect()
}

fn kinds(import: &StateImport) -> BTreeMap<&'static str, u64> {
    let mut kinds = BTreeMap::new();
    for file in &import.files {
        for (kind, count) in &file.kinds {
            *kinds.entry(*kind).or_default() += count;
        }
    }
    kinds
}

fn document(arguments: &ImportArgs, import: &StateImport, stored: Option<Stored>) -> Value {
    let files: Vec<Value> = import
        .files
        .iter()
        .map(|file| json!({"path": file.path, "objects": file.objects, "kinds": file.kinds, "samples": file.samples, "refused": file.refused, "fault": file.fault}))
        .collect();
    let stored = stored.map(|stored| {
        json!({
            "path": arguments.store.as_ref().map(|store| store.display().to_string()), "cluster": arguments.cluster,
            "rows": stored.events, "known_streams": stored.known_streams,
        })
    });
    json!({"files": files, "kinds": kinds(import), "store": stored})
}

fn lines(arguments: &ImportArgs, import: &StateImport, stored: Option<Stored>) -> String {
    let mut text = String::new();
    for file in &import.files {
        let mut kinds: Vec<String> = file
            .kinds
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        if file.samples > 0 {
            kinds.push(format!("{} means of the past", file.samples));
        }
        let refused: u64 = file.refused.values().sum();
        let what = match (&file.fault, kinds.is_empty()) {
            (Some(fault), _) => format!("not read: {fault}"),
            (None, true) if file.objects == 0 && refused == 0 => "a reading with nothing in it".to_owned(),
            (None, true) => format!("nothing of {} objects", file.objects),
            (None, false) => kinds.join(", "),
        };
        text += &format!("{}: {what}", file.path);
        if refused > 0 && file.fault.is_none() {
            let why: Vec<String> = file
                .refused
                .iter()
                .map(|(why, count)| format!("{count} {why}"))
                .collect();
            text += &format!("; left out: {}", why.join(", "));
        }
        text += "\n";
    }
    let mut all: Vec<String> = kinds(import)
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    if !import.samples.is_empty() {
        all.push(format!("{} means of the past", import.samples.len()));
    }
    text += &format!(
        "{} files: {}\n",
        import.files.len(),
        if all.is_empty() {
            "no state".to_owned()
        } else {
            all.join(", ")
        }
    );
    if let (Some(stored), Some(store)) = (stored, &arguments.store) {
        text += &format!(
            "{} rows put into cluster {} of {}",
            stored.events,
            arguments.cluster,
            store.display()
        );
        if stored.known_streams > 0 {
            text += &format!("; {} streams were there already", stored.known_streams);
        }
        text += "\n";
    }
    text
}
