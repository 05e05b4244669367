//! Pid files that cannot point at a stranger (`PRC-2`): number, start time and boot, checked against `/proc`.

use super::{ProcessError, signal};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A process beyond its number: numbers are used again, a number with its start time since boot is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Number.
    pub pid: u32,
    /// Start, in kernel ticks since boot.
    pub started: u64,
    /// The boot it belongs to.
    pub boot: String,
}

impl Identity {
    /// Who has this number now; none when nobody has, or what has it has ended already.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        let started = fields.nth(18)?.parse().ok()?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        (state != "Z" && state != "X").then_some(Self { pid, started, boot })
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    fn text(&self) -> String {
        format!("{} {} {}\n", self.pid, self.started, self.boot)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        Some(Self {
            pid: words.next()?.parse().ok()?,
            started: words.next()?.parse().ok()?,
            boot: words.next()?.to_owned(),
        })
    }
}

/// A pid file that was written here.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    identity: Identity,
}

impl PidFile {
    /// Writes the file of a running process.
    pub fn write(path: &Path, pid: u32) -> Result<Self, ProcessError> {
        let error = |why: String| ProcessError::File { path: path.to_owned(), why };
        let identity = Identity::of(pid).ok_or_else(|| error(format!("process {pid} is gone already")))?;
        let partial = path.with_extension("pid-new");
        fs::write(&partial, identity.text()).map_err(|e| error(e.to_string()))?;
        fs::rename(&partial, path).map_err(|e| error(e.to_string()))?;
        Ok(Self { path: path.to_owned(), identity })
    }

    /// The process a file names, if that very process still runs.
    pub fn running(path: &Path) -> Option<Identity> {
        Identity::parse(&fs::read_to_string(path).ok()?).filter(Identity::is_alive)
    }

    /// Ends the process a file names, if that very process still runs: SIGTERM, then SIGKILL once `deadline` is over.
    /// The file is removed. True when there was someone to end.
    pub fn end_leftover(path: &Path, deadline: Duration) -> Result<bool, ProcessError> {
        let Some(identity) = Self::running(path) else {
            fs::remove_file(path).ok();
            return Ok(false);
        };
        let control = |why: String| ProcessError::Control { pid: identity.pid, why };
        signal(identity.pid, rustix::process::Signal::TERM).map_err(control)?;
        let until = Instant::now() + deadline;
        while identity.is_alive() {
            if Instant::now() >= until {
                signal(identity.pid, rustix::process::Signal::KILL).map_err(control)?;
            }
            if Instant::now() >= until + Duration::from_secs(5) {
                return Err(control("it does not die".to_owned()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        fs::remove_file(path).ok();
        Ok(true)
    }

    /// Removes the file, unless another process has written its own there.
    pub fn remove(self) {
        let written = fs::read_to_string(&self.path).ok();
        if written.and_then(|text| Identity::parse(&text)).as_ref() == Some(&self.identity) {
            fs::remove_file(&self.path).ok();
        }
    }
}
