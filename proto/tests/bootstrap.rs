//! The checked-in code is what the protos say: makes it anew and fails on a difference.
//!
//! When it fails, the new code is already in place: look at the difference and commit it.

use std::path::Path;

#[path = "../codegen.rs"]
mod codegen;

#[test]
fn generated_code_is_what_the_protos_say() {
    let changed = codegen::regenerate(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(
        changed.is_empty(),
        "{changed:?} differed from the protos and were written anew: commit them"
    );
}
