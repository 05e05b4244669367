//! The engine's process from start to end. The data folder has one owner; SIGTERM ends it cleanly, kill -9 loses nothing that
//! was acknowledged.

use super::{connection::Pool, ffi, lease::Lender, memory, server::Front, session::Sessions};
use anyhow::{Context, bail, ensure};
use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, signal::unix, sync::watch};

/// The last place of all, a third of what the rest of the engine has, as Linux's niceness. No less: a merge holds locks that inserts
/// wait for, and at 19 they waited for seconds.
const MERGE_NICENESS: i32 = 15;

/// Threads that remove parts.
const CLEANING_THREADS: usize = 2;

/// Settings of tables. Nobody asks questions that statistics of columns would help with, and they are a sixth of the work of a merge.
/// Parts are merged eight at a time, about, instead of five: each row is written again less often, and a question looks at a few parts
/// more (60 blocks of 100,000 observations, merges and all: 4.5 µs of CPU a row, and 3.3).
const SETTINGS: &str = "<clickhouse><merge_tree><auto_statistics_types></auto_statistics_types>\
    <merge_selector_base>8</merge_selector_base></merge_tree></clickhouse>\n";

/// How long running requests may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// What the engine needs.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Folder of the data; made when missing.
    pub data: PathBuf,
    /// `libchdb.so`, see [`super::library::locate`].
    pub library: PathBuf,
    /// Loopback address of the HTTP interface; port 0 takes a free one.
    pub listen: SocketAddr,
    /// File that takes the address once the engine answers.
    pub address_file: Option<PathBuf>,
    /// Memory queries, inserts and merges may use together; [`EngineOptions::MEMORY_BYTES`] unless told otherwise. The library
    /// itself takes 0.2 GB more.
    pub memory_bytes: u64,
    /// User and password to ask for; anybody on this machine may come in when none.
    pub login: Option<(String, String)>,
}

impl EngineOptions {
    /// 1.5 GB.
    pub const MEMORY_BYTES: u64 = 1_500_000_000;

    /// Options with the defaults.
    pub fn new(data: PathBuf, library: PathBuf, listen: SocketAddr) -> Self {
        Self { data, library, listen, address_file: None, memory_bytes: Self::MEMORY_BYTES, login: None }
    }

    /// User and password from `GRIDWARDEN_CLICKHOUSE_USER` and `_PASSWORD`, where `ps` does not show them.
    pub fn login_from_environment() -> Option<(String, String)> {
        std::env::var("GRIDWARDEN_CLICKHOUSE_USER").ok().zip(std::env::var("GRIDWARDEN_CLICKHOUSE_PASSWORD").ok())
    }

    /// The library's own folder.
    fn store(&self) -> PathBuf {
        self.data.join("engine")
    }

    /// What it cannot be told as an argument.
    fn settings(&self) -> PathBuf {
        self.data.join("settings.xml")
    }

    /// How the library is told: `clickhouse --path=…`, settings as a server's.
    fn arguments(&self) -> Vec<String> {
        let path = self.store();
        let share = |parts: u64| self.memory_bytes / 100 * parts;
        vec![
            "clickhouse".to_owned(),
            format!("--path={}", path.display()),
            format!("--max_server_memory_usage={}", self.memory_bytes),
            // One query must not take the memory inserts and merges need.
            format!("--max_memory_usage={}", share(60)),
            format!("--mark_cache_size={}", share(8)),
            format!("--primary_index_cache_size={}", share(8)),
            "--uncompressed_cache_size=0".to_owned(),
            // Somebody waits for an insert and for an answer, nobody for a merge.
            format!("--os_threads_nice_value_merge_mutate={MERGE_NICENESS}"),
            // Many parts that were merged away are removed by 128 threads at once otherwise, and whoever makes a file meanwhile waits for
            // the file system: an insert for seconds.
            format!("--max_parts_cleaning_thread_pool_size={CLEANING_THREADS}"),
            // Taken for a pattern, in which a backslash stands before what is meant as it is.
            format!("--config-file={}", self.settings().display().to_string().replace('\\', "\\\\")),
            // The library takes `1 + 1` for a query, as its command line does; a server does not.
            "--implicit_select=0".to_owned(),
            // Times without a zone are UTC, wherever the machine is.
            "--session_timezone=UTC".to_owned(),
        ]
    }
}

/// Runs the engine until SIGTERM or SIGINT. Does not come back then: the process ends with code 0. An error means that it did
/// not get as far as answering, or that the listener broke.
pub fn run_engine(options: &EngineOptions) -> anyhow::Result<()> {
    ensure!(
        options.listen.ip().is_loopback(),
        "{} is not a loopback address; embedded ClickHouse serves this machine only",
        options.listen
    );
    let _owner = own(&options.data)?;
    let settings = options.settings();
    std::fs::write(&settings, SETTINGS).with_context(|| format!("{} cannot be written", settings.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serve(options))
}

/// Makes the data folder ours until the process ends.
fn own(data: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(data).with_context(|| format!("the folder {} cannot be made", data.display()))?;
    let path = data.join("owner.lock");
    let file = File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(_) => bail!("another process works on the ClickHouse data in {}", data.display()),
    }
}

async fn serve(options: &EngineOptions) -> anyhow::Result<()> {
    let listen = options.listen;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("the address {listen} for ClickHouse is taken"))?;
    let address = listener.local_addr()?;
    let told = told_to_end()?;

    let lender = open(options).await?;
    tokio::spawn(memory::keep_near(options.memory_bytes, Arc::downgrade(&lender.pool)));
    let front = Front::new(lender.clone(), options);
    let running = Arc::clone(&front.running);
    let (stop, stopped) = watch::channel(false);
    if let Some(file) = &options.address_file {
        write_address(file, address)?;
    }
    tracing::info!(%address, data = %options.data.display(), memory_bytes = options.memory_bytes, "clickhouse answers");
    let mut stopped_here = stopped.clone();
    let server = axum::serve(listener, front.router())
        .with_graceful_shutdown(async move { drop(stopped_here.wait_for(|stop| *stop).await) });
    let server = tokio::spawn(server.into_future());
    told.await;
    tracing::info!("clickhouse stops");
    stop.send_replace(true);
    running.close();
    if tokio::time::timeout(GRACE, server).await.is_err() {
        tracing::warn!("requests still ran and were cut off");
    }
    close(lender).await;
    // Not `return`: the library's threads live, and unloading it under them ends in a crash.
    ffi::exit_now(0)
}

/// SIGTERM or SIGINT, from now on.
fn told_to_end() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = unix::signal(unix::SignalKind::terminate())?;
    let mut interrupt = unix::signal(unix::SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn open(options: &EngineOptions) -> anyhow::Result<Lender> {
    let (library, arguments, store) = (options.library.clone(), options.arguments(), options.store());
    let open = move || {
        let api = ffi::Api::load(&library)
            .map_err(|error| anyhow::anyhow!("{} cannot be loaded: {error}", library.display()))?;
        let opened = Pool::open(api, arguments, &store).map_err(|error| anyhow::anyhow!(error.text))?;
        opened.with_context(|| format!("ClickHouse did not open its data in {}", store.display()))
    };
    let pool = tokio::task::spawn_blocking(open).await??;
    Ok(Lender { pool: Arc::new(pool), sessions: Arc::new(Sessions::default()) })
}

async fn close(lender: Lender) {
    let close = move || {
        lender.sessions.close_idle();
        lender.pool.close_idle();
        // The last owner closes the anchor, and with it the data.
        drop(lender);
    };
    let closing = tokio::task::spawn_blocking(close);
    if tokio::time::timeout(GRACE, closing).await.is_err() {
        tracing::warn!("closing the data took too long and was cut off; nothing is lost");
    }
}

/// All or nothing: nobody reads half an address.
fn write_address(file: &Path, address: SocketAddr) -> anyhow::Result<()> {
    let new = file.with_extension("new");
    let write = || -> std::io::Result<()> {
        std::fs::write(&new, address.to_string())?;
        std::fs::rename(&new, file)
    };
    write().with_context(|| format!("{} cannot be written", file.display()))
}
