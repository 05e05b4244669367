//! A child that is started again when it dies, with a growing pause, until `up` ends.

use anyhow::Result;
use gridwarden_embedded::clickhouse;
use gridwarden_embedded::kafka::{self, KafkaOptions};
use gridwarden_embedded::process::{Process, ProcessOptions};
use gridwarden_runtime::shutdown::Shutdown;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Pause before the first new start; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A child that ran this long begins with the short pause again.
const STEADY: Duration = Duration::from_secs(30);

/// How often a child is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What to start.
#[derive(Clone, Debug)]
pub(super) enum Command {
    /// The broker, which prepares its folder first.
    Kafka(Box<KafkaOptions>),
    /// The engine.
    ClickHouse {
        /// How it is started.
        options: Box<ProcessOptions>,
        /// Folder of its data.
        data: PathBuf,
    },
    /// A program.
    Program(Box<ProcessOptions>),
}

impl Command {
    fn start(&self) -> Result<Process, String> {
        let options = match self {
            Self::Kafka(kafka) => kafka::prepare(kafka).map_err(|e| e.to_string())?,
            Self::ClickHouse { options, .. } | Self::Program(options) => (**options).clone(),
        };
        Process::start(&options).map_err(|e| e.to_string())
    }

    /// Why it ended, as a sentence.
    fn explain(&self, name: &str, status: ExitStatus, words: &str) -> String {
        match self {
            Self::Kafka(options) => kafka::explain(options, status, words).to_string(),
            Self::ClickHouse { options, data } => clickhouse::explain(data, &options.log, status, words).to_string(),
            Self::Program(options) => {
                let last = words.lines().map(str::trim).rfind(|line| !line.is_empty());
                let last = last.map(|line| line.trim_start_matches("gridwarden: ")).unwrap_or("it said nothing");
                let last: String = last.chars().take(400).collect();
                format!("{name} ended ({status}): {last} (its log: {})", options.log.display())
            }
        }
    }
}

/// What happened to a child so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    /// How often it ended, or could not be started, without being asked to.
    pub(super) ends: u32,
    /// Why, the last time.
    pub(super) why: String,
}

/// A child and the task that looks after it.
#[derive(Debug)]
pub(super) struct Child {
    record: Arc<Mutex<Record>>,
    stop: Arc<Switch>,
    task: JoinHandle<()>,
}

/// Told to stop, with the time it may take.
#[derive(Debug, Default)]
struct Switch {
    limit: Mutex<Option<Duration>>,
    told: tokio::sync::Notify,
}

impl Switch {
    fn limit(&self) -> Option<Duration> {
        *self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Child {
    /// Starts it and keeps it running.
    pub(super) fn keep(name: &'static str, command: Command, shutdown: &Shutdown) -> Self {
        let record = Arc::<Mutex<Record>>::default();
        let stop = Arc::<Switch>::default();
        let keeper = Keeper { name, command, record: record.clone(), stop: stop.clone(), ending: shutdown.clone() };
        let task = tokio::spawn(keeper.keep());
        Self { record, stop, task }
    }

    /// What happened so far.
    pub(super) fn record(&self) -> Record {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it: by SIGTERM, by SIGKILL after `limit`.
    pub(super) async fn stop(self, limit: Duration) {
        *self.stop.limit.lock().unwrap_or_else(PoisonError::into_inner) = Some(limit);
        self.stop.told.notify_one();
        self.task.await.ok();
    }
}

struct Keeper {
    name: &'static str,
    command: Command,
    record: Arc<Mutex<Record>>,
    stop: Arc<Switch>,
    ending: Shutdown,
}

impl Keeper {
    async fn keep(self) {
        let mut pause = FIRST_PAUSE;
        while self.stop.limit().is_none() {
            let began = Instant::now();
            let command = self.command.clone();
            let why = match tokio::task::spawn_blocking(move || command.start()).await {
                Ok(Ok(process)) => match self.watch(process).await {
                    Some(why) => why,
                    None => return,
                },
                Ok(Err(why)) => why,
                Err(error) => error.to_string(),
            };
            // While everything ends, a child that goes first is no news.
            if !self.ending.is_triggered() {
                tracing::warn!(child = self.name, why, "child ended, starting it again");
                let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
                record.ends += 1;
                record.why = why;
            }
            if began.elapsed() > STEADY {
                pause = FIRST_PAUSE;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.told.notified() => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Waits until it ends by itself (why) or is told to (none).
    async fn watch(&self, mut process: Process) -> Option<String> {
        loop {
            if let Some(limit) = self.stop.limit() {
                let name = self.name;
                let stopped = tokio::task::spawn_blocking(move || process.stop(limit)).await;
                if let Ok(Err(error)) = stopped {
                    tracing::warn!(child = name, %error, "could not be stopped");
                }
                return None;
            }
            match process.ended() {
                Ok(Some(status)) => {
                    return Some(self.command.explain(self.name, status, &process.log_tail(64 * 1024)));
                }
                Ok(None) => {}
                Err(error) => return Some(error.to_string()),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.stop.told.notified() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_embedded::process::PidFile;
    use std::path::Path;

    fn shell(folder: &Path, script: &str) -> Command {
        Command::Program(Box::new(ProcessOptions {
            program: "sh".into(),
            args: vec!["-c".into(), script.into()],
            env: Vec::new(),
            folder: None,
            log: folder.join("child.log"),
            pid_file: Some(folder.join("child.pid")),
        }))
    }

    async fn wait_for<T>(what: &str, mut see: impl FnMut() -> Option<T>) -> T {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(seen) = see() {
                return seen;
            }
            assert!(Instant::now() < until, "never: {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_killed_child_comes_back_and_ends_when_told() {
        let folder = tempfile::tempdir().expect("folder");
        let pid = folder.path().join("child.pid");
        let child = Child::keep("sleeper", shell(folder.path(), "exec sleep 60"), &Shutdown::new());
        let first = wait_for("the first", || PidFile::running(&pid)).await;
        let number = rustix::process::Pid::from_raw(i32::try_from(first.pid).expect("pid")).expect("pid");
        rustix::process::kill_process(number, rustix::process::Signal::KILL).expect("kill");
        let second = wait_for("the second", || PidFile::running(&pid).filter(|now| *now != first)).await;
        assert_eq!(child.record().ends, 1);
        child.stop(Duration::from_secs(5)).await;
        assert!(!second.is_alive() && !pid.exists());
    }

    #[tokio::test]
    async fn last_words_are_kept() {
        let folder = tempfile::tempdir().expect("folder");
        let child = Child::keep("talker", shell(folder.path(), "echo gridwarden: no luck; exit 3"), &Shutdown::new());
        let why = wait_for("an end", || Some(child.record().why).filter(|why| !why.is_empty())).await;
        assert!(why.starts_with("talker ended (exit status: 3): no luck (its log: "), "{why}");
        child.stop(Duration::ZERO).await;
    }

    #[tokio::test]
    async fn a_child_that_cannot_be_started_says_why() {
        let folder = tempfile::tempdir().expect("folder");
        let Command::Program(options) = shell(folder.path(), "") else { panic!("a program") };
        let options = ProcessOptions { program: "no-such-program".into(), ..*options };
        let child = Child::keep("nobody", Command::Program(Box::new(options)), &Shutdown::new());
        let why = wait_for("a reason", || Some(child.record().why).filter(|why| !why.is_empty())).await;
        assert_eq!(why, "the program no-such-program is missing: it is not on the PATH");
        child.stop(Duration::ZERO).await;
    }
}
