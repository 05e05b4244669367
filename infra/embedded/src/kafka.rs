//! Apache Kafka in KRaft mode as a child process: one node that is broker and controller, on 127.0.0.1 only.
//!
//! Data folder: `log/` (the broker's), `cluster` (whose log it is), `server.properties` (written anew at each start). The log is
//! formatted once, atomically.
//!
//! Invariants:
//! * `KAF-1` What was acknowledged survives kill -9 of the broker: the log is in the page cache of the kernel, and a restart on
//!   the same folder recovers it.
//! * `KAF-2` Nothing is downloaded here: jars come from the cache, and a missing one is a sentence naming the command that
//!   brings it.

mod cluster;
mod diagnosis;
mod java;
mod metadata;
mod settings;

pub use metadata::answers;

use crate::port;
use crate::process::{Process, ProcessError, ProcessOptions};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// The version whose jars are looked for.
pub const VERSION: &str = "4.4.0";

/// How long a start may take, also on a busy machine.
pub const START_LIMIT: Duration = Duration::from_secs(60);

/// How long a clean end may take before it is forced; what was acknowledged is safe either way (`KAF-1`).
pub const STOP_LIMIT: Duration = Duration::from_secs(6);

/// The broker's own folder inside of the data folder.
const LOG: &str = "log";

/// The same while it is made.
const NEW_LOG: &str = "log.new";

/// The two ports of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KafkaPorts {
    /// For clients.
    pub client: u16,
    /// For the controller, which is the same process.
    pub controller: u16,
}

impl KafkaPorts {
    /// Two ports that are free now.
    pub fn free() -> std::io::Result<Self> {
        Ok(Self { client: port::free()?, controller: port::free()? })
    }
}

/// A door with TLS and passwords beside the plain one, as brokers of others have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecureDoor {
    /// Its port on the loopback address.
    pub port: u16,
    /// File in the data folder that holds the private key (PKCS 8) and the certificates, PEM.
    pub keystore: String,
    /// The one who may come in, by SCRAM-SHA-512. Known from the first start on.
    pub user: String,
    /// Their password, without `]`.
    pub password: String,
}

/// How to run the broker.
#[derive(Debug, Clone)]
pub struct KafkaOptions {
    /// Folder of its data; made when missing.
    pub data: PathBuf,
    /// The cache that holds `kafka/4.4.0/lib`.
    pub cache: PathBuf,
    /// Its ports; keep them with the data.
    pub ports: KafkaPorts,
    /// A second door for clients.
    pub secure: Option<SecureDoor>,
    /// Heap in MiB.
    pub heap_mib: u32,
    /// File for its log.
    pub log: PathBuf,
    /// Pid file, if it is to have one.
    pub pid_file: Option<PathBuf>,
}

impl KafkaOptions {
    /// Everything under one folder, 512 MiB of heap.
    pub fn under(folder: &Path, cache: &Path, ports: KafkaPorts) -> Self {
        Self {
            data: folder.join("kafka"),
            cache: cache.to_owned(),
            ports,
            secure: None,
            heap_mib: 512,
            log: folder.join("kafka.log"),
            pid_file: None,
        }
    }

    /// Address for clients.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.client)
    }
}

/// Why the broker could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// No Java on the PATH.
    #[error("Java is missing: Kafka needs Java 17 or newer on the PATH (apt-get install openjdk-17-jre-headless)")]
    NoJava,
    /// A Java that cannot run it.
    #[error("{} is Java {found}, which is too old: Kafka {VERSION} needs Java 17 or newer (apt-get install openjdk-17-jre-headless)", java.display())]
    OldJava {
        /// The program.
        java: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A Java that does not even say its version.
    #[error("{} does not run: {why}", java.display())]
    BadJava {
        /// The program.
        java: PathBuf,
        /// What it said.
        why: String,
    },
    /// The cache does not hold the jars.
    #[error("Kafka's jars are missing in {}: run `make build` (or infra/embedded/fetch-kafka.sh)", .0.display())]
    NoJars(PathBuf),
    /// The log was put here from somewhere else.
    #[error("the log in {} belongs to the Kafka cluster {found}, this data folder to {expected}: put the right log back, or start on a new data folder", log.display())]
    OtherCluster {
        /// The broker's folder.
        log: PathBuf,
        /// Whose log it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// The log is another node's.
    #[error("the log in {} was not made here: {why}", log.display())]
    OtherNode {
        /// The broker's folder.
        log: PathBuf,
        /// Kafka's words.
        why: String,
    },
    /// Someone else listens.
    #[error("Kafka's port 127.0.0.1:{0} is already in use: stop what listens there or choose another port")]
    UsedPort(u16),
    /// No room.
    #[error("the disk is full: Kafka cannot write to {}", .0.display())]
    DiskFull(PathBuf),
    /// Another broker has the folder.
    #[error("another Kafka already uses {}", .0.display())]
    Locked(PathBuf),
    /// A folder or file of ours.
    #[error("{}: {why}", path.display())]
    File {
        /// The folder or file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// It ended while starting.
    #[error("Kafka ended while starting ({status}): {why} (its log: {})", log.display())]
    Ended {
        /// How it ended.
        status: String,
        /// Its last words.
        why: String,
        /// Its log file.
        log: PathBuf,
    },
    /// It runs, but does not answer.
    #[error("Kafka did not answer within {limit:?} (its log: {})", log.display())]
    Slow {
        /// How long was waited.
        limit: Duration,
        /// Its log file.
        log: PathBuf,
    },
    /// Starting or stopping the process.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// The folder that holds the jars.
pub fn jars(cache: &Path) -> PathBuf {
    cache.join("kafka").join(VERSION).join("lib")
}

/// Whether the jars are there: Kafka's own, and the one that makes its log readable.
pub fn check_jars(cache: &Path) -> Result<(), KafkaError> {
    let lib = jars(cache);
    let own = lib.join(format!("kafka_2.13-{VERSION}.jar")).is_file();
    let names = fs::read_dir(&lib).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let log = names.into_iter().any(|name| name.to_string_lossy().starts_with("slf4j-simple-"));
    if own && log { Ok(()) } else { Err(KafkaError::NoJars(lib)) }
}

/// The version of the Java that would run it; an error when there is none, or none that will do. Takes a moment.
pub fn java_version() -> Result<u32, KafkaError> {
    java::version(&java::path())
}

/// Whether what a broker needs is there: the jars, and a Java to run them.
pub fn check(cache: &Path) -> Result<(), KafkaError> {
    check_jars(cache)?;
    java_version().map(drop)
}

/// A running broker. Dropping it ends it at once; [`KafkaProcess::stop`] lets it end cleanly.
#[derive(Debug)]
pub struct KafkaProcess {
    process: Process,
    options: KafkaOptions,
}

impl KafkaProcess {
    /// Starts the broker and waits until it answers. Blocks.
    pub fn start(options: KafkaOptions) -> Result<Self, KafkaError> {
        let mut kafka = Self::launch(options)?;
        kafka.wait_until_it_answers(START_LIMIT)?;
        Ok(kafka)
    }

    /// Prepares the folder (formats it the first time) and starts the broker without waiting for it. Blocks.
    pub fn launch(options: KafkaOptions) -> Result<Self, KafkaError> {
        let command = prepare(&options)?;
        let process = Process::start(&command).map_err(without_java)?;
        Ok(Self { process, options })
    }

    /// Waits until a request for metadata names a broker, or until it has ended.
    pub fn wait_until_it_answers(&mut self, limit: Duration) -> Result<(), KafkaError> {
        let until = Instant::now() + limit;
        while !answers(self.options.ports.client) {
            if let Some(status) = self.process.ended()? {
                return Err(explain(&self.options, status, &self.process.log_tail(64 * 1024)));
            }
            if Instant::now() >= until {
                return Err(KafkaError::Slow { limit, log: self.options.log.clone() });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Address for clients.
    pub fn bootstrap(&self) -> String {
        self.options.bootstrap()
    }

    /// The process itself.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Why it ended, as a sentence; none while it runs.
    pub fn ended(&mut self) -> Result<Option<KafkaError>, KafkaError> {
        let status = self.process.ended()?;
        Ok(status.map(|status| explain(&self.options, status, &self.process.log_tail(64 * 1024))))
    }

    /// Ends it cleanly, by force after [`STOP_LIMIT`]. Blocks.
    pub fn stop(self) -> Result<(), KafkaError> {
        self.process.stop(STOP_LIMIT)?;
        Ok(())
    }
}

/// Why it ended, as a sentence, by how it ended and what it wrote.
pub fn explain(options: &KafkaOptions, status: ExitStatus, words: &str) -> KafkaError {
    diagnosis::of_the_end(options, status, words)
}

/// Checks what it needs, formats the folder once, writes the settings; returns what to start. For supervisors that start the
/// process themselves; others use [`KafkaProcess::start`]. Blocks.
pub fn prepare(options: &KafkaOptions) -> Result<ProcessOptions, KafkaError> {
    check(&options.cache)?;
    let secure = options.secure.as_ref().map(|door| door.port);
    for port in [options.ports.client, options.ports.controller].into_iter().chain(secure) {
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
            return Err(KafkaError::UsedPort(port));
        }
    }
    fs::create_dir_all(&options.data).map_err(|e| file_error(&options.data, &e))?;
    let log = options.data.join(LOG);
    check_unused(options, &log)?;
    let properties = options.data.join("server.properties");
    if !log.join("meta.properties").is_file() {
        format(options, &log)?;
    }
    cluster::check(&options.data, &log)?;
    write(&properties, &settings::server_properties(options.ports, options.secure.as_ref(), LOG))?;
    let mut args = settings::java_options(options.heap_mib);
    args.extend(dumped_classes(&options.cache)?);
    args.extend(["-cp".into(), class_path(&options.cache)?, "kafka.Kafka".into(), "server.properties".into()]);
    java_process(options, args, options.pid_file.clone())
}

/// Whether no broker has the log in use. One asked to start all the same answers for a moment and opens the other's metadata
/// before it sees the lock (seen with 4.4.0), so the lock is looked at here: a POSIX lock on `.lock`, held by its process.
fn check_unused(options: &KafkaOptions, log: &Path) -> Result<(), KafkaError> {
    let path = log.join(".lock");
    let file = match fs::OpenOptions::new().write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(file_error(&path, &error)),
    };
    // Closing the file gives the lock back at once.
    match rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => Err(KafkaError::Locked(options.data.clone())),
        Err(error) => Err(file_error(&path, &error.into())),
    }
}

/// A Java machine that works inside of the data folder.
fn java_process(
    options: &KafkaOptions,
    args: Vec<String>,
    pid_file: Option<PathBuf>,
) -> Result<ProcessOptions, KafkaError> {
    Ok(ProcessOptions {
        program: java::path().into(),
        args: args.into_iter().map(Into::into).collect(),
        // Java reads and writes file names in the encoding of the locale.
        env: vec![("LC_ALL".into(), "C.UTF-8".into())],
        folder: Some(options.data.clone()),
        log: absolute(&options.log)?,
        pid_file: pid_file.as_deref().map(absolute).transpose()?,
    })
}

/// Formats beside the final place and renames, so that a format that was cut off leaves nothing behind.
fn format(options: &KafkaOptions, log: &Path) -> Result<(), KafkaError> {
    let new = options.data.join(NEW_LOG);
    for half in [new.as_path(), log] {
        if half.exists() {
            fs::remove_dir_all(half).map_err(|e| file_error(half, &e))?;
        }
    }
    let properties = options.data.join("format.properties");
    write(&properties, &settings::server_properties(options.ports, options.secure.as_ref(), NEW_LOG))?;
    let mut args = vec!["-Xmx128m".to_owned(), "-XX:TieredStopAtLevel=1".to_owned(), "-Xshare:auto".to_owned()];
    args.extend(dumped_classes(&options.cache)?);
    args.extend(["-cp".into(), class_path(&options.cache)?, "kafka.tools.StorageTool".into(), "format".into()]);
    let id = settings::cluster_id();
    args.extend(["-t".into(), id.clone(), "-c".into(), "format.properties".into()]);
    if let Some(door) = &options.secure {
        let SecureDoor { user, password, .. } = door;
        args.extend(["--add-scram".into(), format!("SCRAM-SHA-512=[name={user},password={password}]")]);
    }
    let mut tool = Process::start(&java_process(options, args, None)?).map_err(without_java)?;
    let until = Instant::now() + START_LIMIT;
    let status = loop {
        match tool.ended()? {
            Some(status) => break status,
            None if Instant::now() >= until => {
                return Err(KafkaError::Slow { limit: START_LIMIT, log: options.log.clone() });
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    if !status.success() {
        return Err(explain(options, status, &tool.log_tail(64 * 1024)));
    }
    fs::remove_file(&properties).ok();
    // Before the log is there: a log without a name would be taken for whoever's it says.
    cluster::keep(&options.data, &id)?;
    fs::rename(&new, log).map_err(|e| file_error(log, &e))
}

/// The archive of loaded classes that `fetch-kafka.sh` makes, when it is there; one that does not fit is ignored by Java.
fn dumped_classes(cache: &Path) -> Result<Option<String>, KafkaError> {
    let classes = absolute(&cache.join("kafka").join(VERSION).join("classes.jsa"))?;
    Ok(classes.is_file().then(|| format!("-XX:SharedArchiveFile={}", classes.display())))
}

fn class_path(cache: &Path) -> Result<String, KafkaError> {
    Ok(absolute(&jars(cache))?.join("*").display().to_string())
}

/// The same place from wherever a child works.
fn absolute(path: &Path) -> Result<PathBuf, KafkaError> {
    std::path::absolute(path).map_err(|error| file_error(path, &error))
}

fn write(path: &Path, text: &str) -> Result<(), KafkaError> {
    fs::write(path, text).map_err(|e| file_error(path, &e))
}

fn file_error(path: &Path, error: &std::io::Error) -> KafkaError {
    match error.kind() {
        std::io::ErrorKind::StorageFull => KafkaError::DiskFull(path.to_owned()),
        _ => KafkaError::File { path: path.to_owned(), why: error.to_string() },
    }
}

fn without_java(error: ProcessError) -> KafkaError {
    match error {
        ProcessError::Missing(_) => KafkaError::NoJava,
        other => KafkaError::Process(other),
    }
}

#[cfg(test)]
mod tests;
