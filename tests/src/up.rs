//! `gridwarden up` as a test drives it: start, ready file, children by name, kill -9, stop.

use crate::{binary, http::Client, wait};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// How long a start may take on a busy two-core machine.
pub const START: Duration = Duration::from_secs(180);

/// A running `gridwarden up`.
pub struct Up {
    child: Child,
    /// Its data folder, as this process sees it.
    pub data: PathBuf,
    /// Its own log.
    pub log: PathBuf,
    /// The ready file's content.
    pub ready: Value,
}

/// How `up` is started.
pub struct Start<'a> {
    /// The program, `gridwarden` or something that becomes it.
    pub command: Command,
    /// Its data folder.
    pub data: &'a Path,
    /// Folder for its ready file and its log.
    pub place: &'a Path,
    /// Whether it has mounts of its own, so that its data are seen through `/proc` only.
    pub own_mounts: bool,
}

impl Up {
    /// Starts `up` on `data` with further arguments and waits for its ready file.
    pub fn start(data: &Path, args: &[&str]) -> Self {
        std::fs::create_dir_all(data).expect("data folder");
        let command = binary::gridwarden();
        Self::launch(Start { command, data, place: data, own_mounts: false }, args)
    }

    /// The same in an unusual way.
    pub fn launch(start: Start<'_>, args: &[&str]) -> Self {
        let Start { mut command, data, place, own_mounts } = start;
        let file = place.join("ready.json");
        match std::fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}"),
        }
        let log = place.join("up.log");
        let lines = std::fs::File::options().create(true).append(true).open(&log).expect("log");
        command.arg("up").arg("--data").arg(data).args(["--ports", "auto", "--ready-file"]).arg(&file).args(args);
        let mut child = command.stderr(lines).spawn().expect("gridwarden starts");
        let ready = wait::until("the ready file", START, || {
            if let Some(status) = child.try_wait().expect("wait") {
                panic!("up ended with {status}:\n{}", tail(&log));
            }
            std::fs::read_to_string(&file).ok().and_then(|text| serde_json::from_str(&text).ok())
        });
        let seen = PathBuf::from(format!("/proc/{}/root{}", child.id(), data.display()));
        let data = if own_mounts { seen } else { data.to_path_buf() };
        Self { child, data, log, ready }
    }

    /// A base URL or address of the ready file.
    pub fn address(&self, key: &str) -> String {
        self.ready[key].as_str().unwrap_or_else(|| panic!("the ready file has no {key}: {}", self.ready)).to_owned()
    }

    /// A client of the gateway or console with the administrator's token, or of ClickHouse.
    pub fn client(&self, key: &str) -> Client {
        let token = self.ready["token"].as_str();
        Client::new(&self.address(key), token.filter(|_| key != "clickhouse"))
    }

    /// Process id of `up` itself.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("pid")
    }

    /// Process ids of its children by the name of their pid file.
    pub fn children(&self) -> Vec<(String, i32)> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.data.join("run")).expect("run folder").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let pid = text.split_whitespace().next().and_then(|word| word.parse().ok());
            if let (Some(name), Some(pid)) = (name.strip_suffix(".pid"), pid) {
                found.push((name.to_owned(), pid));
            }
        }
        found.sort();
        found
    }

    /// SIGTERM, then its exit status; panics when it takes longer than 10 s.
    pub fn stop(mut self) -> ExitStatus {
        let start = Instant::now();
        signal(self.pid(), libc::SIGTERM);
        let child = &mut self.child;
        let status = wait::until("up to stop", Duration::from_secs(30), || child.try_wait().expect("wait"));
        let took = start.elapsed();
        assert!(took < Duration::from_secs(10), "up took {took:?} to stop:\n{}", tail(&self.log));
        status
    }

    /// SIGKILL to `up` itself.
    pub fn kill(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            signal(self.pid(), libc::SIGTERM);
            let deadline = Instant::now() + Duration::from_secs(12);
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(50));
            }
            if matches!(self.child.try_wait(), Ok(None)) && self.child.kill().is_ok() {
                self.child.wait().ok();
            }
        }
        if std::thread::panicking() {
            eprintln!("--- up.log\n{}", tail(&self.log));
            for name in
                ["stream", "archive", "gateway", "dispatch", "console", "kafka", "clickhouse", "simulate", "receive"]
            {
                let log = self.data.join("log").join(format!("{name}.log"));
                eprintln!("--- {name}.log\n{}", tail(&log));
            }
        }
    }
}

/// Sends a signal to a process the test started.
pub fn signal(pid: i32, signal: i32) {
    // SAFETY: kill(2) takes plain numbers; the pid is one this test started.
    #[allow(unsafe_code, reason = "std has no way to send a signal by number")]
    let sent = unsafe { libc::kill(pid, signal) };
    assert_eq!(sent, 0, "signal {signal} to {pid}: {}", std::io::Error::last_os_error());
}

/// Whether a process is there.
pub fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
}

/// The last lines of a log.
pub fn tail(file: &Path) -> String {
    let text = std::fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
