//! Repository rules as code: `cargo run -p xtask -- tidy` (and the same as tests, so that `make test` holds them).
//!
//! Knows the shape of the house (folders, crates, arrows), nothing of what the crates do.

mod arrows;
mod tidy;

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The workspace's root: two folders above this crate.
fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(Path::to_path_buf).context("xtask does not stand in infra/xtask")
}

fn check() -> Result<()> {
    let root = root()?;
    let mut faults = arrows::faults(&root)?;
    faults.extend(tidy::faults(&root)?);
    if faults.is_empty() { Ok(()) } else { bail!("{} rule(s) broken:\n  {}", faults.len(), faults.join("\n  ")) }
}

fn main() -> ExitCode {
    match check() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "a command's own output")]
            {
                eprintln!("{error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
