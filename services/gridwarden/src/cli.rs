//! The command line.

use crate::allocators;
use crate::backtest::{self, BacktestArgs};
use crate::bench::BenchCommand;
use crate::city_command::CityCommand;
use crate::doctor::{self, DoctorArgs};
use crate::explain::{self, ExplainArgs};
use crate::receive::{self, ReceiveArgs};
use crate::recompute::{self, RecomputeArgs};
use crate::rejects::RejectsCommand;
use crate::replay::{self, ReplayArgs};
use crate::role::{self, Role, RoleArgs, StreamArgs};
use crate::rules::RulesCommand;
use crate::simulate::{self, SimulateArgs};
use crate::up::{self, UpArgs};
use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use gridwarden_embedded::clickhouse;
use gridwarden_runtime::{
    priority::{self, Behind},
    telemetry,
};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How long threads that block may hold up the end of the process.
const THREADS_LIMIT: Duration = Duration::from_millis(300);

/// Gridwarden: runs a city's events, rules, alerts and figures.
#[derive(Parser, Debug)]
#[command(name = "gridwarden", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run everything on this machine: Kafka, ClickHouse, all services, a simulated city
    Up(UpArgs),
    /// Run the gateway: HTTP intake of observations and reports
    Gateway(RoleArgs),
    /// Run the stream: places, windows, rules, alerts
    Stream(StreamArgs),
    /// Run the archive: every observation and report into ClickHouse
    Archive(RoleArgs),
    /// Run dispatch: alerts to webhooks, event streams and ClickHouse
    Dispatch(RoleArgs),
    /// Run the console: API and pages
    Console(RoleArgs),
    /// Send the messages of a simulated city
    Simulate(SimulateArgs),
    /// Play a file to Kafka in the order of event time
    Replay(ReplayArgs),
    /// Count windows again from the archive: what came too late, after a redraw, after rejects were sent again
    Recompute(RecomputeArgs),
    /// Try rules on the past, from the archive or from Kafka: alerts added, removed and changed against the rules in force
    Backtest(BacktestArgs),
    /// Say what every rule makes of one observation, and why
    Explain(ExplainArgs),
    /// Look at rules, their versions and histories, and write the next
    Rules {
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// List, show and send again what could not be taken
    Rejects {
        #[command(subcommand)]
        command: RejectsCommand,
    },
    /// Receive webhooks: verify, print, fail on request
    Receive(ReceiveArgs),
    /// Check or publish a city folder
    City {
        #[command(subcommand)]
        command: CityCommand,
    },
    /// Measure this machine and this build
    Bench {
        #[command(subcommand)]
        command: BenchCommand,
    },
    /// Look at this machine, a broker and a ClickHouse, and say what is wrong
    Doctor(DoctorArgs),
    /// The embedded ClickHouse, as `up` starts it
    #[command(hide = true)]
    ClickhouseEngine(EngineArgs),
}

impl Cli {
    /// Runs the command to its end.
    pub(crate) fn run(self) -> Result<()> {
        if let Command::ClickhouseEngine(args) = self.command {
            // It brings its own runtime and ends the process itself.
            return args.run();
        }
        if self.command.needs_large_memory() {
            allocators::begin_again();
        }
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        if matches!(self.command, Command::Stream(_)) {
            // Workers, and the threads that read Kafka and say alerts, are not the runtime's: those go first.
            runtime.on_thread_start(|| priority::give_way(Behind::Rows));
        }
        if matches!(self.command, Command::Archive(_)) {
            priority::give_way(Behind::Rows);
        }
        let runtime = runtime.enable_all().build().context("no runtime")?;
        let result = runtime.block_on(self.command.run());
        runtime.shutdown_timeout(THREADS_LIMIT);
        result
    }
}

impl Command {
    /// Whether it reaches all over a large memory, or measures here what does.
    fn needs_large_memory(&self) -> bool {
        match self {
            Self::Stream(_) | Self::Archive(_) | Self::Backtest(_) => true,
            Self::Bench { command } => command.measures_itself(),
            _ => false,
        }
    }

    async fn run(self) -> Result<()> {
        match self {
            Self::Up(args) => up::run(args).await,
            Self::Gateway(args) => Role::Gateway.run(&args).await,
            Self::Stream(args) => args.run().await,
            Self::Archive(args) => Role::Archive.run(&args).await,
            Self::Dispatch(args) => Role::Dispatch.run(&args).await,
            Self::Console(args) => Role::Console.run(&args).await,
            Self::Simulate(args) => role::until_signal("simulate", |shutdown| simulate::run(args, shutdown)).await,
            Self::Replay(args) => role::until_signal("replay", |shutdown| replay::run(args, shutdown)).await,
            Self::Recompute(args) => recompute::run(args).await,
            Self::Backtest(args) => backtest::run(args).await,
            Self::Explain(args) => explain::run(args).await,
            Self::Rules { command } => command.run().await,
            Self::Rejects { command } => command.run().await,
            Self::Receive(args) => role::until_signal("receive", |shutdown| receive::run(args, shutdown)).await,
            Self::City { command } => command.run().await,
            Self::Bench { command } => command.run().await,
            Self::Doctor(args) => doctor::run(args).await,
            Self::ClickhouseEngine(args) => args.run(),
        }
    }
}

/// Arguments of the embedded engine.
#[derive(clap::Args, Clone, Debug)]
struct EngineArgs {
    /// Folder of its data
    #[arg(long)]
    data: PathBuf,
    /// Loopback address of its HTTP interface
    #[arg(long)]
    listen: SocketAddr,
    /// The cache that holds libchdb.so
    #[arg(long, required_unless_present = "library")]
    cache: Option<PathBuf>,
    /// libchdb.so itself
    #[arg(long)]
    library: Option<PathBuf>,
    /// Memory it may take
    #[arg(long)]
    memory_bytes: Option<u64>,
    /// File that gets its address once it answers
    #[arg(long)]
    address_file: Option<PathBuf>,
}

impl EngineArgs {
    fn run(self) -> Result<()> {
        telemetry::init("clickhouse");
        priority::give_way(Behind::Engine);
        let library = match (self.library, self.cache) {
            (Some(library), _) => library,
            (None, cache) => clickhouse::library::locate(&cache.unwrap_or_default())?,
        };
        let mut options = clickhouse::EngineOptions::new(self.data, library, self.listen);
        options.memory_bytes = self.memory_bytes.unwrap_or(options.memory_bytes);
        options.address_file = self.address_file;
        options.login = clickhouse::EngineOptions::login_from_environment();
        clickhouse::run_engine(&options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
