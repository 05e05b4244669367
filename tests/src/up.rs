//! `gridwarden up` as a test drives it: start, ready file, children by name, kill -9, stop.

use crate::{binary, http::Client, wait};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// How long a start may take on a busy two-core machine.
pub const START: Duration = Duration::from_secs(180);

/// A running `gridwarden up`.
pub struct Up {
    child: Child,
    data: PathBuf,
    /// The ready file's content.
    pub ready: Value,
}

impl Up {
    /// Starts `up` on `data` with further arguments and waits for its ready file.
    pub fn start(data: &Path, args: &[&str]) -> Self {
        std::fs::create_dir_all(data).expect("data folder");
        let file = data.join("ready.json");
        match std::fs::remove_file(&file) {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}"),
        }
        let log = std::fs::File::options().create(true).append(true).open(data.join("up.log")).expect("log");
        let mut child = binary::gridwarden()
            .arg("up")
            .arg("--data")
            .arg(data)
            .args(["--ports", "auto", "--ready-file"])
            .arg(&file)
            .args(args)
            .stderr(log)
            .spawn()
            .expect("gridwarden starts");
        let ready = wait::until("the ready file", START, || {
            if let Some(status) = child.try_wait().expect("wait") {
                panic!("up ended with {status}:\n{}", tail(&data.join("up.log")));
            }
            std::fs::read_to_string(&file).ok().and_then(|text| serde_json::from_str(&text).ok())
        });
        Self { child, data: data.to_path_buf(), ready }
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
        assert!(took < Duration::from_secs(10), "up took {took:?} to stop:\n{}", tail(&self.data.join("up.log")));
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
            eprintln!("--- up.log\n{}", tail(&self.data.join("up.log")));
            for name in ["stream", "archive", "gateway", "dispatch", "console", "kafka", "clickhouse", "simulate"] {
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
