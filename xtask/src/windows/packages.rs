//! What the Windows build needs of Debian, installed where it is missing.

use anyhow::Result;

use crate::debian;

/// The compiler with the source of its library, the linker and C compiler for the target, and what runs the result.
const PACKAGES: [&str; 5] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "gcc-mingw-w64-x86-64",
    "wine64",
];

/// Installs what is missing; fails, and says what, where it cannot.
pub(super) fn install() -> Result<()> {
    debian::install(&PACKAGES, "the Windows build")?;
    for path in ["/usr/bin/cargo", "/usr/bin/rustc", super::WINE] {
        super::present(path)?;
    }
    Ok(())
}
