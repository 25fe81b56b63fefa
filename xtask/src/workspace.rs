//! The workspace as `cargo metadata` and the manifests tell it, reduced to what the house rules ask.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::command;

/// Every member, and where things are.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) members: Vec<Member>,
}

/// One package of the workspace.
#[derive(Debug, Default)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Last part of the path to its manifest.
    pub(crate) folder: String,
    pub(crate) dependencies: Vec<Dependency>,
    /// Whether its manifest says `[lints] workspace = true`.
    pub(crate) inherits_lints: bool,
    /// Files called `mod.rs`, below its folder.
    pub(crate) mod_files: Vec<PathBuf>,
}

/// An entry of a manifest's dependency tables, under the package's own name even where the manifest renames it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) kind: Option<Kind>,
    /// Present if the package is in a folder here, and so is one of ours.
    #[serde(default)]
    pub(crate) path: Option<PathBuf>,
}

/// The dependency table an entry stands in, where it is not the ordinary one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Dev,
    Build,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

impl Workspace {
    /// Reads the workspace that the current folder is in.
    pub(crate) fn load() -> Result<Self> {
        let json = command::output(command::cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
        let metadata: Metadata = serde_json::from_str(&json).context("cargo metadata")?;
        let members = metadata.packages.into_iter().map(Member::read).collect::<Result<_>>()?;
        Ok(Self {
            root: metadata.workspace_root,
            target: metadata.target_directory,
            members,
        })
    }
}

impl Member {
    fn read(package: Package) -> Result<Self> {
        let text = fs::read_to_string(&package.manifest_path)
            .with_context(|| format!("cannot read {}", package.manifest_path.display()))?;
        let manifest: toml::Table = text
            .parse()
            .with_context(|| package.manifest_path.display().to_string())?;
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        let folder = package
            .manifest_path
            .parent()
            .context("a manifest stands in a folder")?;
        let mut mod_files = Vec::new();
        find_mod_files(folder, &mut mod_files)?;
        Ok(Self {
            name: package.name,
            folder: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            dependencies: package.dependencies,
            inherits_lints: lints.and_then(toml::Value::as_bool) == Some(true),
            mod_files,
        })
    }
}

/// Adds each `mod.rs` below `folder`, but for what tools put there.
fn find_mod_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            if name != "target" && name != "node_modules" {
                find_mod_files(&entry.path(), found)?;
            }
        } else if name == "mod.rs" {
            found.push(entry.path());
        }
    }
    Ok(())
}
