//! The data folder of `up`: made, locked, swept of what a killed `up` left behind.
//!
//! `DIR/{lock, ports.json, token, city/, kafka/, clickhouse/, checkpoints/, crashes/, rasters/, run/<child>.pid, log/<child>.log, config/<role>.toml}`; the
//! last are the operator's: settings of a role that lie over its defaults.

use super::room;
use anyhow::{Context, Result, bail};
use gridwarden_embedded::process::PidFile;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A child's log is set aside once it is longer than this.
const LONGEST_LOG: u64 = 16 * 1024 * 1024;

/// How long a leftover gets to end by itself.
const LEFTOVER_LIMIT: Duration = Duration::from_secs(3);

/// A data folder that is ours alone while this lives.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if need be, checks that it can be written and that no other `up` runs on it.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let made = fs::create_dir_all(root).and_then(|()| root.canonicalize());
        let root = made.with_context(|| format!("cannot make the data folder {}", root.display()))?;
        room::check(&root)?;
        let lock = lock(&root)?;
        for name in ["run", "log", "config"] {
            let path = root.join(name);
            fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        Ok(Self { root, _lock: lock })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn log(&self, child: &str) -> PathBuf {
        self.root.join("log").join(format!("{child}.log"))
    }

    pub(super) fn pid_file(&self, child: &str) -> PathBuf {
        self.root.join("run").join(format!("{child}.pid"))
    }

    /// Own settings of a role under `up`, if there are any.
    pub(super) fn config(&self, child: &str) -> Option<PathBuf> {
        Some(self.root.join("config").join(format!("{child}.toml"))).filter(|path| path.is_file())
    }

    /// Ends children of a killed `up` that still run; returns their names.
    pub(super) fn end_leftovers(&self) -> Result<Vec<String>> {
        let mut ended = Vec::new();
        let run = self.root.join("run");
        for entry in fs::read_dir(&run).with_context(|| format!("cannot read {}", run.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "pid")
                && PidFile::end_leftover(&path, LEFTOVER_LIMIT)?
            {
                ended.push(path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
            }
        }
        Ok(ended)
    }

    /// Sets long logs aside as `<child>.log.1`, also while a child writes to one: it appends, and so goes on in the empty file.
    /// Lines that come in that very moment may be lost; they are a log's.
    pub(super) fn turn_logs(&self, children: &[&str]) {
        for path in children.iter().map(|child| self.log(child)) {
            if fs::metadata(&path).is_ok_and(|it| it.len() > LONGEST_LOG) {
                fs::copy(&path, path.with_extension("log.1")).ok();
                // Also when there was no room for the copy: a log must not be what fills the disk.
                OpenOptions::new().write(true).truncate(true).open(&path).ok();
            }
        }
    }

    /// The administrator's token, made once.
    pub(super) fn token(&self) -> Result<String> {
        let path = self.path("token");
        match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
            _ => {}
        }
        let token = hex::encode(rand::random::<[u8; 24]>());
        write_whole(&path, &token)?;
        Ok(token)
    }
}

/// Writes a file that is there completely or not at all, for nobody else's eyes: it may hold the token.
pub(super) fn write_whole(path: &Path, text: &str) -> Result<()> {
    let partial = path.with_extension(format!("new-{}", std::process::id()));
    let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&partial);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    let written = written.and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        fs::remove_file(&partial).ok();
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn lock(root: &Path) -> Result<File> {
    let path = root.join("lock");
    let file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&path);
    let mut file = file.with_context(|| format!("cannot write to the data folder {}", root.display()))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut owner = String::new();
        file.read_to_string(&mut owner).ok();
        bail!("another `gridwarden up` already runs on {} (process {})", root.display(), owner.trim());
    }
    let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
    written.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_and_one_token() {
        let place = tempfile::tempdir().expect("folder");
        let root = place.path().join("a/b");
        let folder = Folder::open(&root).expect("opens");
        let second = Folder::open(&root).expect_err("locked").to_string();
        assert!(second.contains("already runs on") && second.contains(&std::process::id().to_string()), "{second}");
        let token = folder.token().expect("token");
        assert_eq!((token.len(), folder.token().expect("token")), (48, token.clone()));
        drop(folder);
        assert_eq!(Folder::open(&root).expect("free again").token().expect("token"), token);
    }

    #[test]
    fn what_holds_the_token_is_for_nobody_elses_eyes() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().expect("folder");
        let folder = Folder::open(place.path()).expect("folder");
        folder.token().expect("token");
        let mode = fs::metadata(folder.path("token")).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = format!("{:#}", write_whole(&place.path().join("no/file"), "x").expect_err("no folder"));
        assert!(error.contains("no/file"), "{error}");
    }

    #[test]
    fn a_long_log_is_set_aside_while_it_is_written() {
        let place = tempfile::tempdir().expect("folder");
        let folder = Folder::open(place.path()).expect("folder");
        let path = folder.log("kafka");
        let mut log = OpenOptions::new().create(true).append(true).open(&path).expect("log");
        log.write_all(&vec![b'x'; LONGEST_LOG as usize]).expect("write");
        folder.turn_logs(&["kafka", "stream"]);
        assert_eq!(fs::metadata(&path).expect("log").len(), LONGEST_LOG, "not yet");
        log.write_all(b"y").expect("write");
        folder.turn_logs(&["kafka"]);
        log.write_all(b"on it goes").expect("write");
        assert_eq!(fs::read_to_string(&path).expect("log"), "on it goes");
        assert_eq!(fs::metadata(path.with_extension("log.1")).expect("old log").len(), LONGEST_LOG + 1);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_a_sentence() {
        let place = tempfile::tempdir().expect("folder");
        let file = place.path().join("file");
        fs::write(&file, "").expect("write");
        let error = format!("{:#}", Folder::open(&file.join("data")).expect_err("a file is in the way"));
        assert!(error.starts_with("cannot make the data folder "), "{error}");
    }
}
