//! One process of a service: started, asked, killed, stopped, told to end.

use crate::metrics;
use anyhow::{Context, Result, bail};
use gridwarden_embedded::port;
use gridwarden_embedded::process::{Process, ProcessOptions};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a process may take until it processes, whatever is the matter: then the run has failed.
pub(super) const COMES_BACK: Duration = Duration::from_secs(120);
/// How long an end may take.
pub(super) const ENDS: Duration = Duration::from_secs(10);
const ASK: Duration = Duration::from_secs(2);
const PACE: Duration = Duration::from_millis(10);

/// How a service is started.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    pub(super) program: PathBuf,
    /// `stream` or `archive`.
    pub(super) role: &'static str,
    pub(super) config: PathBuf,
    pub(super) log: PathBuf,
    /// A bug to be awake in it.
    pub(super) bug: Option<String>,
}

/// A running process.
pub(super) struct Service {
    process: Process,
    role: &'static str,
    port: u16,
    born: Instant,
}

impl Service {
    pub(super) fn start(recipe: &Recipe) -> Result<Self> {
        let port = port::free()?;
        let mut env: Vec<(OsString, OsString)> =
            vec![("GRIDWARDEN_HTTP__LISTEN".into(), format!("127.0.0.1:{port}").into())];
        env.extend(recipe.bug.as_ref().map(|bug| ("GRIDWARDEN_SEEDED_BUG".into(), bug.into())));
        let process = Process::start(&ProcessOptions {
            program: recipe.program.clone().into(),
            args: vec![recipe.role.into(), "--config".into(), recipe.config.clone().into()],
            env,
            folder: None,
            log: recipe.log.clone(),
            pid_file: None,
        })?;
        Ok(Self { process, role: recipe.role, port, born: Instant::now() })
    }

    /// The sum over all labels of a figure; none while it does not answer.
    pub(super) fn figure(&self, name: &str) -> Option<f64> {
        let text = get(self.port, "/metrics").ok()?;
        Some(metrics::sum(&text, &format!("gridwarden_{}_{name}", self.role)))
    }

    fn read_figure(&self) -> &'static str {
        if self.role == "stream" { "records_read_total" } else { "read_total" }
    }

    /// How many records it has read.
    pub(super) fn read(&self) -> f64 {
        self.figure(self.read_figure()).unwrap_or(0.0)
    }

    /// Waits until a figure is above a value.
    pub(super) fn until(&mut self, name: &str, above: f64) -> Result<()> {
        let begun = Instant::now();
        while self.figure(name).is_none_or(|figure| figure <= above) {
            self.still_runs()?;
            if begun.elapsed() > COMES_BACK {
                bail!("{}: {name} does not rise above {above}:\n{}", self.role, self.process.log_tail(4_096));
            }
            std::thread::sleep(PACE);
        }
        Ok(())
    }

    /// Waits until it reads records; how long that took from its start.
    pub(super) fn until_live(&mut self) -> Result<Duration> {
        let figure = self.read_figure();
        self.until(figure, 0.0)?;
        Ok(self.born.elapsed())
    }

    pub(super) fn still_runs(&mut self) -> Result<()> {
        match self.process.ended()? {
            None => Ok(()),
            Some(status) => bail!("{} ended by itself ({status}):\n{}", self.role, self.process.log_tail(4_096)),
        }
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) {
        self.process.kill();
    }

    /// SIGSTOP or SIGCONT.
    pub(super) fn signal(&self, signal: i32) -> Result<()> {
        crate::up::signal(i32::try_from(self.process.pid())?, signal);
        Ok(())
    }

    /// Waits until it has ended by itself; whether it did.
    pub(super) fn ends_by_itself(&mut self, limit: Duration) -> Result<bool> {
        let begun = Instant::now();
        while self.process.ended()?.is_none() {
            if begun.elapsed() > limit {
                return Ok(false);
            }
            std::thread::sleep(PACE);
        }
        Ok(true)
    }

    /// SIGTERM; whether it ended well and in time.
    pub(super) fn term(&mut self) -> Result<bool> {
        self.process.ask_to_end()?;
        let in_time = self.ends_by_itself(ENDS)?;
        Ok(in_time && self.process.ended()?.is_some_and(|status| status.success()))
    }
}

fn get(port: u16, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), ASK)?;
    stream.set_read_timeout(Some(ASK))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).context("an answer without body")
}
