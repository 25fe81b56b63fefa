//! Makes the generated code and the descriptors from the protos. Shared by `tests/bootstrap.rs`, which fails on a difference, and by
//! `cargo xtask codegen`, which also works while the crate does not compile.

use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;

const PROTOS: [&str; 9] = [
    "fathom/collect/v1/collect.proto",
    "fathom/control/v1/control.proto",
    "fathom/fleet/v1/fleet.proto",
    "fathom/fleet/v1/kept.proto",
    "fathom/fleet/v1/rollup.proto",
    "fathom/query/v1/query.proto",
    "fathom/query/v1/findings.proto",
    "fathom/query/v1/costs.proto",
    "fathom/query/v1/baselines.proto",
];

/// Writes anew what differs from the protos and returns its names.
///
/// # Panics
///
/// When the protos do not compile or a file cannot be written: both callers are tools for developers.
pub(crate) fn regenerate(root: &Path) -> Vec<PathBuf> {
    let descriptors = protox::Compiler::new([root])
        .expect("the proto folder is there")
        .include_source_info(true)
        .include_imports(true)
        .open_files(PROTOS)
        .unwrap_or_else(|error| panic!("{error:?}"))
        .file_descriptor_set();
    let fresh = tempfile::tempdir().expect("a temporary folder");
    tonic_prost_build::configure()
        .out_dir(fresh.path())
        .bytes(".fathom.collect.v1.IoBatch.columns")
        .bytes(".fathom.fleet.v1.Question.request")
        .bytes(".fathom.fleet.v1.DeliverAnswerRequest.frames")
        .bytes(".fathom.fleet.v1.AskClustersRequest.request")
        .bytes(".fathom.fleet.v1.AnswerPart.piece")
        // It is far larger than what else there is in its place.
        .boxed(".fathom.fleet.v1.AskClustersResponse.message.outcome")
        // The same labels are the same bytes.
        .btree_map(".fathom.fleet.v1")
        .compile_fds(descriptors.clone())
        .expect("the code can be generated");
    // Comments are for people who read the protos; reflection gets the bare descriptors.
    let mut bare = descriptors;
    bare.file.iter_mut().for_each(|file| file.source_code_info = None);
    fs::write(fresh.path().join("descriptors.bin"), bare.encode_to_vec()).expect("the descriptors can be written");

    let checked_in = root.join("src/generated");
    let mut changed = Vec::new();
    for entry in fs::read_dir(fresh.path()).expect("the temporary folder can be read") {
        let path = entry.expect("an entry").path();
        let name = PathBuf::from(path.file_name().expect("a file has a name"));
        let new = fs::read(&path).expect("a fresh file can be read");
        if fs::read(checked_in.join(&name)).ok().as_ref() != Some(&new) {
            fs::write(checked_in.join(&name), new).expect("the checked-in folder can be written");
            changed.push(name);
        }
    }
    changed
}
