//! `gridwarden up`: everything on one machine. A supervisor over child processes: broker, engine, every role, the simulator.
//!
//! ```text
//! folder, lock, leftovers ─▶ city ─▶ Kafka ∥ ClickHouse ─▶ topics, tables, control topics in force ─▶ roles ─▶ ready file
//! ```
//!
//! Invariants:
//! * `UP-1` Children die with it, also when it is killed; what a kill leaves behind is ended at the next start, and only that.
//! * `UP-2` A child that dies comes back; one that cannot come up while starting ends `up` with its reason.
//! * `UP-3` It downloads nothing; what is missing is named with the command that brings it.
//! * `UP-4` The ready file is there, whole, once everything has answered, and goes when `up` ends; after kill -9 with the next
//!   start.
//! * `UP-5` Without room on the disk nothing is started; a disk that fills up while it runs is told.

mod child;
mod contents;
mod crew;
mod folder;
pub(crate) mod plan;
pub(crate) mod ports;
pub(crate) mod ready;
pub(crate) mod room;

use crate::output::progress;
use anyhow::{Context, Result, ensure};
use crew::Crew;
use folder::Folder;
use gridwarden_runtime::shutdown::{Shutdown, on_signals};
use gridwarden_runtime::telemetry;
use plan::Plan;
use ports::Ports;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Arguments of `up`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct UpArgs {
    /// Folder for all data, logs and settings; made when missing
    #[arg(long, default_value = "data/gridwarden")]
    pub(crate) data: PathBuf,
    /// `fixed` (8080 for the page …) or `auto` (free ones, kept with the data)
    #[arg(long, value_enum, default_value = "fixed")]
    pub(crate) ports: PortChoice,
    /// Written once everything answers, removed at the end: one JSON object with addresses and the administrator's token
    #[arg(long)]
    pub(crate) ready_file: Option<PathBuf>,
    /// City folder; without it a simulated city is made once (seed 1)
    #[arg(long)]
    pub(crate) city: Option<PathBuf>,
    /// Do not run the simulator
    #[arg(long)]
    pub(crate) no_simulate: bool,
    /// Observations a second the simulator sends
    #[arg(long, default_value_t = 500.0, value_parser = rate)]
    pub(crate) rate: f64,
    /// Unit cells of the simulated city when it is made [default: 5000]
    #[arg(long, conflicts_with = "city", value_parser = clap::value_parser!(u32).range(100..=100_000))]
    pub(crate) cells: Option<u32>,
    /// Also run the small webhook receiver the simulated city sends its alerts to
    #[arg(long)]
    pub(crate) demo: bool,
}

/// More than this no simulator sends.
const HIGHEST_RATE: f64 = 1_000_000.0;

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let known = rate > 0.0 && rate <= HIGHEST_RATE;
    if known { Ok(rate) } else { Err(format!("more than 0 and at most {HIGHEST_RATE}; --no-simulate sends nothing")) }
}

/// Which ports are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum PortChoice {
    /// The documented ones.
    Fixed,
    /// Free ones.
    Auto,
}

/// Runs until a signal; everything is down when it returns.
pub(crate) async fn run(args: UpArgs) -> Result<()> {
    // Progress is told in sentences; the log is for what goes wrong.
    telemetry::init_at("up", "warn");
    let shutdown = Shutdown::new();
    on_signals(&shutdown)?;
    if let Some(file) = &args.ready_file {
        check_ready_file(file)?;
    }
    remove_ready_file(args.ready_file.as_deref())?;
    let mut crew = Crew::new(&shutdown);
    let started = tokio::select! {
        started = start(&args, &mut crew, &shutdown) => started,
        () = shutdown.wait() => Ok(None),
    };
    // The folder's lock is held until every child has ended.
    let held = match started {
        Ok(held) => {
            match &held {
                Some(folder) => tokio::select! {
                    () = shutdown.wait() => {}
                    () = housekeeping(folder) => {}
                },
                None => shutdown.wait().await,
            }
            progress("stopping");
            Ok(held)
        }
        Err(error) => {
            shutdown.trigger("the start failed");
            Err(error)
        }
    };
    let removed = remove_ready_file(args.ready_file.as_deref());
    crew.stop().await;
    held.map(drop)?;
    removed
}

/// How often the length of logs is looked at.
const LOGS_EVERY: Duration = Duration::from_secs(30);

/// What is seen to while everything runs. Does not end.
async fn housekeeping(folder: &Folder) {
    let logs = async {
        loop {
            tokio::time::sleep(LOGS_EVERY).await;
            folder.turn_logs(&plan::children());
        }
    };
    tokio::join!(room::watch(folder.root()), logs);
}

/// The whole start; returns what must live as long as `up`.
async fn start(args: &UpArgs, crew: &mut Crew, shutdown: &Shutdown) -> Result<Option<Folder>> {
    let began = Instant::now();
    let folder = Folder::open(&args.data)?;
    progress(&format!("data in {}", folder.root().display()));
    for name in folder.end_leftovers()? {
        progress(&format!("ended {name}, left behind by a killed `up`"));
    }
    let cache = plan::cache()?;
    gridwarden_embedded::kafka::check(&cache)?;
    gridwarden_embedded::clickhouse::library::locate(&cache)?;
    let ports = Ports::of(&folder, args.ports == PortChoice::Auto)?;
    let city = contents::city(args, &folder, &ports).await?;
    let plan = Plan::new(args, &folder, ports, &city)?;
    folder.turn_logs(&plan::children());

    crew.add(plan.kafka(), shutdown);
    crew.add(plan.clickhouse(), shutdown);
    crew.watch(ready::engines(&plan)).await?;
    crew.watch(contents::prepare(&plan, &city)).await?;
    for child in plan.roles() {
        crew.add(child, shutdown);
    }
    crew.watch(ready::roles(&plan)).await?;
    for child in plan.extras(&city) {
        crew.add(child, shutdown);
    }
    if let Some(path) = &args.ready_file {
        folder::write_whole(path, &ready::file(&plan)?)?;
    }
    progress(&format!("ready after {:.1} s", began.elapsed().as_secs_f64()));
    // Whoever sits at the terminal opens the page with one click; a log must not hold the token.
    let way_in = if std::io::stderr().is_terminal() { format!("#token={}", plan.token) } else { String::new() };
    progress(&format!("page      {}/{way_in}", plan.ports.url("console")));
    progress(&format!("gateway   {}   token in {}", plan.ports.url("gateway"), folder.path("token").display()));
    progress(&format!("kafka     {}   clickhouse {}", plan.ports.address("kafka"), plan.ports.url("clickhouse")));
    if city.simulated {
        progress("everything in this city is simulated; stop with Ctrl-C");
    }
    Ok(Some(folder))
}

/// A ready file that could not be written would be known only once everything runs.
fn check_ready_file(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    ensure!(folder.is_dir(), "cannot write the ready file {}: there is no folder {}", path.display(), folder.display());
    ensure!(!path.is_dir(), "cannot write the ready file {}: it is a folder", path.display());
    Ok(())
}

fn remove_ready_file(path: Option<&Path>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove the old ready file {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_that_can_be_sent() {
        assert_eq!(rate("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "NaN", "inf", "2e6", "many", ""] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_ready_file_that_cannot_be_written_is_known_at_once() {
        let place = tempfile::tempdir().expect("folder");
        assert!(check_ready_file(&place.path().join("ready.json")).is_ok() && check_ready_file(Path::new("r")).is_ok());
        let said = check_ready_file(&place.path().join("no/ready.json")).expect_err("no folder").to_string();
        assert!(said.contains("there is no folder") && said.contains("no/ready.json"), "{said}");
        assert!(check_ready_file(place.path()).is_err());
    }
}
