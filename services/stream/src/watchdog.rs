//! Ends a process whose dataflow stands still: a worker that never comes back, or a peer that does not answer, would hold up
//! windows and checkpoints for ever while everything else looks well. The supervisor starts anew, from the checkpoint.
//!
//! `WDG-1` once all have begun, the frontier moves with every tick, whatever comes or does not come, as long as every worker is run:
//! back-pressure, an idle log, ClickHouse or Kafka away hold up reading, never the frontier.

use crate::shared::Shared;
use gridwarden_runtime::shutdown::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The exit code of a process that was ended so.
pub(crate) const STUCK: i32 = 102;

/// What the frontier does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// It is not known yet: state is being put back, readers are being opened, here or in another process, which may have to wait for
    /// ClickHouse for as long as that is away.
    Unknown,
    /// It moves, or stands for less than the limit.
    Moves,
    /// It stands for this long.
    Stands(Duration),
}

/// Looks at the frontier again and again. Pure.
pub(crate) struct Watch {
    limit: Duration,
    last: Option<(u64, Instant)>,
}

impl Watch {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, last: None }
    }

    /// The frontier is there now; none: no worker has seen one yet; 0: not all have begun.
    pub(crate) fn look(&mut self, now: Instant, frontier: Option<u64>) -> Verdict {
        let Some(frontier) = frontier.filter(|frontier| *frontier > 0) else { return Verdict::Unknown };
        match self.last {
            Some((known, since)) if known == frontier => {
                let stood = now.saturating_duration_since(since);
                if stood < self.limit { Verdict::Moves } else { Verdict::Stands(stood) }
            }
            _ => {
                self.last = Some((frontier, now));
                Verdict::Moves
            }
        }
    }
}

/// Watches until the shutdown. Blocks.
pub(crate) fn run(shared: &Arc<Shared>, limit: Duration, shutdown: &Shutdown) {
    watch(limit, || shared.frontier(), || shutdown.is_triggered());
}

fn watch(limit: Duration, frontier: impl Fn() -> Option<u64>, is_over: impl Fn() -> bool) {
    let mut watch = Watch::new(limit);
    let every = (limit / 10).min(Duration::from_secs(1));
    while !is_over() {
        std::thread::sleep(every);
        if let Verdict::Stands(stood) = watch.look(Instant::now(), frontier())
            && !is_over()
        {
            tracing::error!(seconds = stood.as_secs(), "the dataflow stands still, the process ends");
            std::process::exit(STUCK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn what_moves_now_and_then_is_left_alone_and_what_stands_is_told_for_how_long() {
        let (begun, second) = (Instant::now(), Duration::from_secs(1));
        let mut watch = Watch::new(3 * second);
        assert_eq!(watch.look(begun, None), Verdict::Unknown);
        assert_eq!(watch.look(begun + 50 * second, None), Verdict::Unknown, "nothing has begun");
        assert_eq!(watch.look(begun + 51 * second, Some(0)), Verdict::Unknown, "not all have begun");
        assert_eq!(watch.look(begun + 100 * second, Some(0)), Verdict::Unknown, "not all have begun");
        for (after, frontier) in [(101, 1), (103, 1), (104, 2), (106, 2)] {
            assert_eq!(watch.look(begun + after * second, Some(frontier)), Verdict::Moves, "{after}");
        }
        assert_eq!(watch.look(begun + 107 * second, Some(2)), Verdict::Stands(3 * second));
        assert_eq!(watch.look(begun + 108 * second, Some(3)), Verdict::Moves);
    }

    const IN_CHILD: &str = "GRIDWARDEN_TEST_STANDS";

    /// In a process of its own: in this one the test would end.
    #[test]
    fn a_process_whose_frontier_stands_ends() {
        if std::env::var_os(IN_CHILD).is_some() {
            let begun = Instant::now();
            watch(Duration::from_millis(200), || Some(7), || begun.elapsed() > Duration::from_secs(20));
            std::process::exit(0);
        }
        let own = std::env::current_exe().expect("a running test has a path");
        let name = "watchdog::tests::a_process_whose_frontier_stands_ends";
        let status = Command::new(own)
            .args(["--exact", name])
            .env(IN_CHILD, "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("a child");
        assert_eq!(status.code(), Some(STUCK));
    }
}
