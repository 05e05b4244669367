//! A child process beside us: its log in a file, its number in a pid file, its end tied to ours.
//!
//! Invariants:
//! * `PRC-1` A child dies with the process that started it, even when that one is killed (`PR_SET_PDEATHSIG`). The kernel ties
//!   this to the starting *thread*, so all children are started by one thread that lives as long as the process.
//! * `PRC-2` Nobody is signalled by a number alone: a pid file also holds the start time, and it must still be the same process.

mod launcher;
mod pidfile;

pub use pidfile::{Identity, PidFile};

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Why a child could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program is not there.
    #[error("the program {0} is missing: it is not on the PATH")]
    Missing(String),
    /// A file of ours cannot be written or read.
    #[error("{}: {why}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// The system did not start it.
    #[error("{program} did not start: {why}")]
    Start {
        /// The program.
        program: String,
        /// The system's words.
        why: String,
    },
    /// The system did not let us signal or wait for it.
    #[error("process {pid} cannot be controlled: {why}")]
    Control {
        /// Its number.
        pid: u32,
        /// The system's words.
        why: String,
    },
}

/// What to start.
#[derive(Debug, Clone)]
pub struct ProcessOptions {
    /// Program, looked up on the PATH when it holds no `/`.
    pub program: OsString,
    /// Arguments.
    pub args: Vec<OsString>,
    /// Environment to add.
    pub env: Vec<(OsString, OsString)>,
    /// Working folder; ours when none.
    pub folder: Option<PathBuf>,
    /// File that takes its stdout and stderr, appended. The folder must exist.
    pub log: PathBuf,
    /// Pid file, if it is to have one.
    pub pid_file: Option<PathBuf>,
}

/// A running child. Dropping it ends it by SIGKILL; use [`Process::stop`] for a clean end.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
    log_start: u64,
    pid_file: Option<PidFile>,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts a child that dies with this process.
    pub fn start(options: &ProcessOptions) -> Result<Self, ProcessError> {
        let name = Path::new(&options.program).file_name().unwrap_or(&options.program).to_string_lossy().into_owned();
        let file = |e: std::io::Error| ProcessError::File { path: options.log.clone(), why: e.to_string() };
        let out = fs::OpenOptions::new().create(true).append(true).open(&options.log).map_err(file)?;
        let log_start = out.metadata().map_err(file)?.len();
        let mut command = std::process::Command::new(&options.program);
        command.args(&options.args).envs(options.env.iter().map(|(k, v)| (k, v)));
        command.stdin(Stdio::null()).stdout(out.try_clone().map_err(file)?).stderr(out);
        if let Some(folder) = &options.folder {
            command.current_dir(folder);
        }
        let child = launcher::spawn(command).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => ProcessError::Missing(options.program.to_string_lossy().into_owned()),
            _ => ProcessError::Start { program: name.clone(), why: error.to_string() },
        })?;
        let mut process = Self { child, name, log: options.log.clone(), log_start, pid_file: None, ended: None };
        if let Some(path) = &options.pid_file {
            // When this fails the child is dropped, and with it ended.
            match PidFile::write(path, process.pid()) {
                Ok(file) => process.pid_file = Some(file),
                // It ended before it was noted: its last words say more than that it is gone.
                Err(_) if process.ended()?.is_some() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(process)
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its program's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, ProcessError> {
        if self.ended.is_none() {
            let pid = self.pid();
            self.ended = self.child.try_wait().map_err(|e| ProcessError::Control { pid, why: e.to_string() })?;
        }
        Ok(self.ended)
    }

    /// Asks it to end (SIGTERM) without waiting.
    pub fn ask_to_end(&mut self) -> Result<(), ProcessError> {
        let pid = self.pid();
        if self.ended()?.is_some() {
            return Ok(());
        }
        signal(pid, rustix::process::Signal::TERM).map_err(|why| ProcessError::Control { pid, why })
    }

    /// SIGTERM, then SIGKILL once `deadline` is over. Blocks until it is gone; how it ended when it ended by itself.
    pub fn stop(mut self, deadline: Duration) -> Result<Option<ExitStatus>, ProcessError> {
        self.ask_to_end()?;
        let until = Instant::now() + deadline;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(Some(status));
            }
            if Instant::now() >= until {
                tracing::warn!(process = self.name, pid = self.pid(), "did not end in time and is killed");
                self.kill();
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if self.ended.is_none() {
            self.child.kill().ok();
            self.ended = self.child.wait().ok();
        }
    }

    /// What it wrote since its start, at most the last `most` bytes.
    pub fn log_tail(&self, most: u64) -> String {
        tail(&self.log, self.log_start, most)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if let Some(file) = self.pid_file.take() {
            file.remove();
        }
    }
}

/// Text of a file from `start`, at most the last `most` bytes; empty when it cannot be read.
fn tail(path: &Path, start: u64, most: u64) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        let length = file.metadata()?.len();
        // A log that was cut meanwhile begins anew.
        let start = if start > length { 0 } else { start };
        file.seek(SeekFrom::Start(start.max(length.saturating_sub(most))))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// Signals a process.
fn signal(pid: u32, signal: rustix::process::Signal) -> Result<(), String> {
    let number = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).ok_or("no such number")?;
    match rustix::process::kill_process(number, signal) {
        // Gone already is what was wanted.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
