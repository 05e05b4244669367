//! Room on the disk: a start is refused when there is too little, and a disk that fills up meanwhile is told in words, before
//! Kafka and ClickHouse can only fail.

use crate::output::progress;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::time::Duration;

/// Free MiB below which nothing is started: Kafka and ClickHouse write their logs and parts in pieces of this order.
pub(crate) const LEAST: u64 = 256;

/// Free MiB below which a person is warned while everything runs.
const LITTLE: u64 = 1024;

/// Free MiB that a day fills.
pub(crate) const ENOUGH: u64 = 5 * 1024;

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Free MiB on the disk of a folder; 0 as well when no further file can be made.
pub(crate) fn free(folder: &Path) -> std::io::Result<u64> {
    let room = rustix::fs::statvfs(folder)?;
    // File systems without a fixed number of files say 0 of 0.
    if room.f_files > 0 && room.f_favail == 0 {
        return Ok(0);
    }
    Ok(room.f_bavail.saturating_mul(room.f_frsize) / (1024 * 1024))
}

/// Refuses a disk without room.
pub(super) fn check(folder: &Path) -> Result<()> {
    let free = free(folder).with_context(|| format!("cannot ask for room in {}", folder.display()))?;
    if State::of(free) == State::Full {
        bail!(full(free, folder));
    }
    Ok(())
}

/// Looks for ever, and tells every change.
pub(super) async fn watch(folder: &Path) {
    let mut state = State::Enough;
    loop {
        // A file system that does not answer is told by everything that writes to it.
        if let Ok(free) = free(folder) {
            let now = state.moved(free);
            if now != state {
                progress(&now.words(state, free, folder));
                tracing::warn!(free_mib = free, folder = %folder.display(), state = ?now, "room on the disk changed");
            }
            state = now;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Enough,
    Little,
    Full,
}

impl State {
    fn of(free: u64) -> Self {
        match free {
            0..LEAST => Self::Full,
            LEAST..LITTLE => Self::Little,
            _ => Self::Enough,
        }
    }

    /// The next state: better ones only with some room to spare, so that nobody is told the same thing again and again.
    fn moved(self, free: u64) -> Self {
        let (now, spare) = (Self::of(free), Self::of(free - free / 10));
        if now as u8 > self as u8 {
            now
        } else if (spare as u8) < self as u8 {
            spare
        } else {
            self
        }
    }

    fn words(self, before: Self, free: u64, folder: &Path) -> String {
        let room = format!("{free} MiB are free in {}", folder.display());
        match (before, self) {
            (_, Self::Full) => {
                format!("{}; nothing acknowledged is lost, make room and it goes on", full(free, folder))
            }
            (Self::Full, Self::Little) => format!("there is room again, but little: {room}"),
            (_, Self::Little) => format!("the disk is nearly full: {room}"),
            (_, Self::Enough) => format!("there is room again: {room}"),
        }
    }
}

fn full(free: u64, folder: &Path) -> String {
    format!("the disk is full: {free} MiB are free in {}, at least {LEAST} MiB are needed", folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_a_sentence() {
        assert_eq!(full(3, Path::new("/d")), "the disk is full: 3 MiB are free in /d, at least 256 MiB are needed");
        assert_eq!(
            [0, 255, 256, 1023, 1024].map(State::of),
            [State::Full, State::Full, State::Little, State::Little, State::Enough]
        );
    }

    #[test]
    fn what_changed_is_told_once() {
        let mut state = State::Enough;
        let mut told = Vec::new();
        for free in [5000, 1000, 1030, 990, 200, 260, 250, 300, 1100, 1200, 5000] {
            let now = state.moved(free);
            if now != state {
                told.push((free, now));
            }
            state = now;
        }
        let expected = [(1000, State::Little), (200, State::Full), (300, State::Little), (1200, State::Enough)];
        assert_eq!(told, expected);
    }

    #[test]
    fn the_room_of_a_folder_is_known() {
        let place = tempfile::tempdir().expect("folder");
        assert!(free(place.path()).expect("room") > 0);
        assert!(free(&place.path().join("none")).is_err());
    }
}
