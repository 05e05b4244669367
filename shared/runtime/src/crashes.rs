//! Which record was in hand when the process panicked, kept where the next start finds it.
//!
//! A record that makes the process panic would do so again at every start, and nothing behind it would ever be read. It refuses to
//! know what a panic means: a record at which two processes ended is left out, whatever the reason was.
//!
//! * `PSN-1` what a thread has in hand when it panics is noted on disk before the process ends.
//! * `PSN-2` a record is quarantined at the start after its second crash, and at every start from then on; what was noted once is read
//!   again. Notes are never taken back: a record is sent again as another one.

use gridwarden_domain::identity::{RecordId, TopicId};
use gridwarden_domain::reject::{Code, Reason};
use serde::Deserialize;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// Crashes at a record after which it is left out.
const QUARANTINED_AFTER: usize = 2;
/// Notes of one record that are looked for when another is made.
const MOST_NOTES: u32 = 1000;

/// `[crashes]` of a service that reads records.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrashConfig {
    /// Folder of the notes. Services that read the same topics may share it, and then learn from each other.
    pub folder: PathBuf,
}

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the folder of crashes {}: {source}", folder.display())]
pub struct CrashError {
    folder: PathBuf,
    source: io::Error,
}

thread_local! {
    static IN_HAND: Cell<Option<RecordId>> = const { Cell::new(None) };
}

/// This thread works on a record from now on.
#[inline]
pub fn in_hand(record: RecordId) {
    IN_HAND.set(Some(record));
}

/// This thread works on no record of its own: what goes wrong now is nobody's.
#[inline]
pub fn put_down() {
    IN_HAND.set(None);
}

/// Where crashes are noted.
#[derive(Clone, Debug)]
pub struct Crashes {
    folder: PathBuf,
}

impl Crashes {
    /// Makes the folder when it is missing. One that cannot be written is told now, not in the middle of a panic.
    pub fn open(config: &CrashConfig) -> Result<Self, CrashError> {
        let folder = &config.folder;
        let refused = |source| CrashError { folder: folder.clone(), source };
        fs::create_dir_all(folder).map_err(refused)?;
        let folder = folder.canonicalize().map_err(refused)?;
        // Services may share the folder, and a process.
        static PROBES: AtomicU32 = AtomicU32::new(0);
        let probe = folder.join(format!("probe-{}-{}", std::process::id(), PROBES.fetch_add(1, Ordering::Relaxed)));
        File::create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(refused)?;
        Ok(Self { folder })
    }

    /// Notes every panic from now on, then does what was done with panics before. Once for a process.
    pub fn watch(&self) {
        static WATCHED: Once = Once::new();
        let own = self.clone();
        WATCHED.call_once(|| {
            let earlier = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                if let Some(record) = IN_HAND.take() {
                    // Nobody is left to tell when even this cannot be written.
                    own.note(record, &panic.to_string()).ok();
                }
                earlier(panic);
            }));
        });
    }

    /// Writes a note (`PSN-1`).
    fn note(&self, record: RecordId, words: &str) -> io::Result<()> {
        for number in 1..=MOST_NOTES {
            let path = self.folder.join(format!("{}.{number}", name(record)));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    file.write_all(words.as_bytes())?;
                    file.sync_all()?;
                    return File::open(&self.folder)?.sync_all();
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What is to be left out (`PSN-2`).
    pub fn quarantine(&self) -> Result<Quarantine, CrashError> {
        let refused = |source| CrashError { folder: self.folder.clone(), source };
        let mut notes = HashMap::<RecordId, usize>::new();
        for entry in fs::read_dir(&self.folder).map_err(refused)? {
            if let Some(record) = record(&entry.map_err(refused)?.path()) {
                *notes.entry(record).or_default() += 1;
            }
        }
        let often = notes.into_iter().filter(|(_, crashes)| *crashes >= QUARANTINED_AFTER);
        let quarantine = Quarantine(often.map(|(record, _)| record).collect());
        for record in &quarantine.0 {
            tracing::error!(%record, folder = %self.folder.display(), "a record that made processes panic is left out");
        }
        Ok(quarantine)
    }
}

fn name(record: RecordId) -> String {
    format!("{}-{}-{}", record.topic_id, record.partition, record.offset)
}

fn record(path: &Path) -> Option<RecordId> {
    let (name, _) = path.file_name()?.to_str()?.split_once('.')?;
    let mut parts = name.split('-');
    let topic_id = TopicId(u128::from_str_radix(parts.next()?, 16).ok()?);
    let record = RecordId { topic_id, partition: parts.next()?.parse().ok()?, offset: parts.next()?.parse().ok()? };
    parts.next().is_none().then_some(record)
}

/// Records that are left out.
#[derive(Clone, Debug, Default)]
pub struct Quarantine(HashSet<RecordId>);

impl Quarantine {
    /// Whether there are none: then nobody need ask.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a record is one of them.
    pub fn holds(&self, record: RecordId) -> bool {
        self.0.contains(&record)
    }

    /// Why such a record is rejected.
    #[cold]
    pub fn reason() -> Reason {
        Reason::new(Code::Poison, "", "processes that worked on it ended in a panic, twice")
    }
}

/// A record that asks for it makes the service named here panic: for the tests of this very thing. Debug builds only; a release
/// build has no such door.
#[cfg(debug_assertions)]
#[allow(clippy::panic, reason = "that is what it is for")]
pub fn fault_point(asked: Option<&[u8]>, here: &str) {
    if asked.is_some_and(|asked| asked == here.as_bytes() || asked == b"everywhere") {
        panic!("a record asked for a panic");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> RecordId {
        RecordId { topic_id: TopicId(0xabc), partition: 3, offset }
    }

    fn crashes(folder: &Path) -> Crashes {
        Crashes::open(&CrashConfig { folder: folder.to_owned() }).expect("a folder")
    }

    #[test]
    fn after_two_crashes_a_record_is_left_out_and_no_other() {
        let place = tempfile::tempdir().expect("folder");
        let crashes = crashes(&place.path().join("a/b"));
        assert!(crashes.quarantine().expect("readable").is_empty());
        crashes.note(at(7), "why").expect("noted");
        crashes.note(at(8), "why").expect("noted");
        assert!(crashes.quarantine().expect("readable").is_empty());
        crashes.note(at(7), "why again").expect("noted");
        fs::write(place.path().join("a/b/readme.txt"), "not a note").expect("write");
        for _ in 0..2 {
            let quarantine = crashes.quarantine().expect("readable");
            assert!(quarantine.holds(at(7)) && !quarantine.holds(at(8)));
            assert!(!quarantine.holds(RecordId { partition: 2, ..at(7) }));
        }
        assert_eq!(
            fs::read_to_string(place.path().join("a/b").join(format!("{}.2", name(at(7))))).expect("note"),
            "why again"
        );
    }

    #[cfg(debug_assertions)]
    #[test]
    fn a_panic_is_noted_by_what_its_own_thread_has_in_hand() {
        let place = tempfile::tempdir().expect("folder");
        let crashes = crashes(place.path());
        crashes.watch();
        let panics = |record: Option<RecordId>| {
            let ended = std::thread::spawn(move || {
                in_hand(at(1));
                match record {
                    Some(record) => in_hand(record),
                    None => put_down(),
                }
                fault_point(Some(b"here"), "here");
            });
            assert!(ended.join().is_err(), "it panicked");
        };
        panics(Some(at(5)));
        panics(None);
        panics(Some(at(5)));
        fault_point(Some(b"there"), "here");
        let mut notes: Vec<_> = fs::read_dir(place.path())
            .expect("folder")
            .map(|entry| entry.expect("entry").file_name().into_string().expect("name"))
            .collect();
        notes.sort();
        assert_eq!(notes, [format!("{}.1", name(at(5))), format!("{}.2", name(at(5)))]);
        assert!(crashes.quarantine().expect("readable").holds(at(5)));
        let words = fs::read_to_string(place.path().join(&notes[0])).expect("note");
        assert!(words.contains("asked for a panic") && words.contains("crashes.rs"), "{words}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told_at_the_start() {
        let place = tempfile::tempdir().expect("folder");
        let file = place.path().join("file");
        fs::write(&file, "").expect("write");
        let error = Crashes::open(&CrashConfig { folder: file.join("crashes") }).expect_err("refused");
        assert!(error.to_string().contains("file/crashes"), "{error}");
    }
}
