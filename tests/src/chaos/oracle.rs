//! The oracle's process: told what to send and where to look, asked what it found.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A load that is being sent.
pub(super) struct Load(Child);

fn command(what: &str, plan: &Path) -> Command {
    let mut command = Command::new(crate::binary::path("oracle"));
    command.arg(what).arg(plan).stdout(Stdio::piped());
    command
}

impl Load {
    pub(super) fn start(plan: &Path) -> Result<Self> {
        Ok(Self(command("send", plan).stdin(Stdio::piped()).spawn().context("the oracle starts")?))
    }

    /// Stops it when what it sends is acknowledged; the number of records acknowledged.
    pub(super) fn stop(mut self) -> Result<u64> {
        drop(self.0.stdin.take());
        let answer = answer(&mut self.0)?;
        answer["sent"].as_u64().context("how much was sent")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // When the run fails; one that has ended does not mind.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// What it finds.
pub(super) fn check(plan: &Path) -> Result<Value> {
    let mut child = command("check", plan).stdin(Stdio::null()).spawn().context("the oracle starts")?;
    answer(&mut child)
}

fn answer(child: &mut Child) -> Result<Value> {
    let mut text = String::new();
    child.stdout.take().context("its stdout")?.read_to_string(&mut text)?;
    let status = child.wait()?;
    if !status.success() {
        bail!("the oracle ended with {status}");
    }
    serde_json::from_str(&text).with_context(|| format!("the oracle's answer {text:?}"))
}

/// Writes a plan.
pub(super) fn write(folder: &Path, plan: &Value) -> Result<PathBuf> {
    let file = folder.join("plan.json");
    std::fs::write(&file, plan.to_string())?;
    Ok(file)
}
