//! Runs one service in this process: configuration, logs, signals, and an end within ten seconds.

use anyhow::{Result, bail};
use gridwarden_runtime::shutdown::{Shutdown, on_signals};
use gridwarden_runtime::telemetry;
use std::path::PathBuf;
use std::time::Duration;

/// How long a service may take to end.
const END_LIMIT: Duration = Duration::from_millis(9_500);

/// Arguments of every role.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RoleArgs {
    /// Configuration file (TOML); it lies over the built-in defaults, GRIDWARDEN_SECTION__KEY over both
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
}

/// Arguments of the stream: one process of a cluster, if they say so.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct StreamArgs {
    #[command(flatten)]
    role: RoleArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// A place in a cluster; what is not given is as configured.
#[derive(clap::Args, Clone, Debug, Default)]
struct ClusterArgs {
    /// Where all processes of the cluster listen for each other: host:port[,host:port...], the same list for all
    #[arg(long)]
    hosts: Option<String>,
    /// Which of them this is, counted from 0
    #[arg(long)]
    process: Option<usize>,
    /// How many there are; only to be sure that hosts names as many
    #[arg(long)]
    processes: Option<usize>,
}

impl StreamArgs {
    /// Runs it until a signal.
    pub(crate) async fn run(&self) -> Result<()> {
        Role::Stream.run_in(&self.role, &self.cluster).await
    }
}

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Gateway,
    Stream,
    Archive,
    Dispatch,
    Console,
}

impl Role {
    pub(crate) const ALL: [Self; 5] = [Self::Gateway, Self::Stream, Self::Archive, Self::Dispatch, Self::Console];

    /// Its name as a command, a child and a label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Stream => "stream",
            Self::Archive => "archive",
            Self::Dispatch => "dispatch",
            Self::Console => "console",
        }
    }

    /// Runs it until a signal.
    pub(crate) async fn run(self, args: &RoleArgs) -> Result<()> {
        self.run_in(args, &ClusterArgs::default()).await
    }

    async fn run_in(self, args: &RoleArgs, cluster: &ClusterArgs) -> Result<()> {
        telemetry::init(self.name());
        let shutdown = Shutdown::new();
        on_signals(&shutdown)?;
        let file = args.config.as_deref();
        let ending = shutdown.clone();
        let service = async {
            match self {
                Self::Gateway => gridwarden_gateway::run(gridwarden_gateway::config(file)?, shutdown).await,
                Self::Stream => {
                    let ClusterArgs { hosts, process, processes } = cluster.clone();
                    let config = gridwarden_stream::config(file)?.in_cluster(hosts, process, processes)?;
                    gridwarden_stream::run(config, shutdown).await
                }
                Self::Archive => gridwarden_archive::run(gridwarden_archive::config(file)?, shutdown).await,
                Self::Dispatch => gridwarden_dispatch::run(gridwarden_dispatch::config(file)?, shutdown).await,
                Self::Console => gridwarden_console::run(gridwarden_console::config(file)?, shutdown).await,
            }
        };
        within_limit(self.name(), service, &ending).await
    }
}

/// Runs a tool that listens to signals.
pub(crate) async fn until_signal<F: Future<Output = Result<()>>>(
    name: &'static str,
    tool: impl FnOnce(Shutdown) -> F,
) -> Result<()> {
    telemetry::init(name);
    let shutdown = Shutdown::new();
    on_signals(&shutdown)?;
    within_limit(name, tool(shutdown.clone()), &shutdown).await
}

async fn within_limit(name: &str, work: impl Future<Output = Result<()>>, shutdown: &Shutdown) -> Result<()> {
    let late = async {
        shutdown.wait().await;
        tokio::time::sleep(END_LIMIT).await;
    };
    tokio::select! {
        result = work => result,
        () = late => bail!("{name} did not end within {END_LIMIT:?}"),
    }
}
