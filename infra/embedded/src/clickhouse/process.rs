//! The engine as a child process of ours.

use super::{EngineOptions, diagnosis};
use crate::process::{Process, ProcessError, ProcessOptions};
use std::{
    ffi::OsString,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::ExitStatus,
    time::{Duration, Instant},
};

/// How long a start may take: a data folder of 50 million rows opens in 0.3 s, a busy machine and a cold disk take longer.
const START: Duration = Duration::from_secs(60);
/// How long a clean end may take.
const STOP: Duration = Duration::from_secs(10);
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Why there is no engine.
#[derive(thiserror::Error, Debug)]
pub enum ClickHouseError {
    /// See [`ProcessError`].
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// No room.
    #[error("the disk is full: ClickHouse cannot write to {}", .0.display())]
    DiskFull(PathBuf),
    /// It ended instead of answering.
    #[error("ClickHouse ended ({status}): {why} (its log: {})", log.display())]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// Its last words.
        why: String,
        /// Its log file.
        log: PathBuf,
    },
    /// It neither ended nor answered.
    #[error("ClickHouse did not answer within {} s (its log: {})", START.as_secs(), .0.display())]
    Silent(PathBuf),
}

/// What to start.
#[derive(Clone, Debug)]
pub struct ClickHouseOptions {
    /// What the engine is told.
    pub engine: EngineOptions,
    /// Program and first arguments that lead to [`super::run_engine`]: `gridwarden clickhouse-engine`.
    pub program: Vec<OsString>,
    /// File for its log; its folder must exist.
    pub log: PathBuf,
    /// Pid file, if it is to have one.
    pub pid_file: Option<PathBuf>,
}

/// A running engine. Dropping it ends it by SIGKILL, which loses nothing; [`ClickHouseProcess::stop`] ends it cleanly.
#[derive(Debug)]
pub struct ClickHouseProcess {
    process: Process,
    address: SocketAddr,
}

impl ClickHouseProcess {
    /// Starts the engine and waits until it answers. Blocks.
    ///
    /// The child gets `--data`, `--library`, `--listen`, `--memory-bytes` and `--address-file`; user and password come by
    /// `GRIDWARDEN_CLICKHOUSE_USER` and `GRIDWARDEN_CLICKHOUSE_PASSWORD`, where nobody else can see them.
    pub fn start(options: &ClickHouseOptions) -> Result<Self, ClickHouseError> {
        let engine = &options.engine;
        let folder = |e: std::io::Error| match e.kind() {
            std::io::ErrorKind::StorageFull => ClickHouseError::DiskFull(engine.data.clone()),
            _ => ProcessError::File { path: engine.data.clone(), why: e.to_string() }.into(),
        };
        std::fs::create_dir_all(&engine.data).map_err(folder)?;
        let address_file = engine.address_file.clone().unwrap_or_else(|| engine.data.join("address"));
        match std::fs::remove_file(&address_file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(folder(error)),
            _ => {}
        }
        let mut words = options.program.iter().cloned();
        let program = words.next().unwrap_or_default();
        let mut args: Vec<OsString> = words.collect();
        for (name, value) in [
            ("--data", engine.data.clone().into_os_string()),
            ("--library", engine.library.clone().into_os_string()),
            ("--listen", engine.listen.to_string().into()),
            ("--memory-bytes", engine.memory_bytes.to_string().into()),
            ("--address-file", address_file.clone().into_os_string()),
        ] {
            args.extend([name.into(), value]);
        }
        let mut env: Vec<(OsString, OsString)> = super::memory::environment().into();
        if let Some((user, password)) = &engine.login {
            env.push(("GRIDWARDEN_CLICKHOUSE_USER".into(), user.into()));
            env.push(("GRIDWARDEN_CLICKHOUSE_PASSWORD".into(), password.into()));
        }
        let (log, pid_file) = (options.log.clone(), options.pid_file.clone());
        let process = Process::start(&ProcessOptions { program, args, env, folder: None, log, pid_file })?;
        wait_until_it_answers(process, options, &address_file)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Base URL of its HTTP interface.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, ProcessError> {
        self.process.ended()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Ends it cleanly, within 10 s. Blocks; how it ended when it ended by itself, none when it had to be killed.
    pub fn stop(self) -> Result<Option<ExitStatus>, ProcessError> {
        self.process.stop(STOP)
    }
}

fn wait_until_it_answers(
    mut process: Process,
    options: &ClickHouseOptions,
    address_file: &Path,
) -> Result<ClickHouseProcess, ClickHouseError> {
    let until = Instant::now() + START;
    while Instant::now() < until {
        if let Some(status) = process.ended()? {
            return Err(explain(&options.engine.data, &options.log, status, &process.log_tail(64 * 1024)));
        }
        let address = std::fs::read_to_string(address_file).ok().and_then(|text| text.parse().ok());
        if let Some(address) = address
            && ping(address)
        {
            return Ok(ClickHouseProcess { process, address });
        }
        std::thread::sleep(ASK_EVERY);
    }
    Err(ClickHouseError::Silent(options.log.clone()))
}

/// Why it ended, as a sentence, by how it ended and what it wrote. For supervisors that start the process themselves.
pub fn explain(data: &Path, log: &Path, status: ExitStatus, words: &str) -> ClickHouseError {
    diagnosis::of_the_end(data, log, status, words)
}

/// One `GET /ping`.
fn ping(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let limit = Some(Duration::from_secs(2));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
        stream.set_read_timeout(limit)?;
        stream.set_write_timeout(limit)?;
        stream.write_all(b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200") && answer.ends_with("Ok.\n"))
    };
    ask().unwrap_or(false)
}
