//! The data folder of `up`: made, locked, swept of what a killed `up` left behind.
//!
//! `DIR/{lock, ports.json, token, city/, kafka/, clickhouse/, run/<child>.pid, log/<child>.log, config/<role>.toml}`; the
//! last are the operator's: settings of a role that lie over its defaults.

use anyhow::{Context, Result, bail};
use gridwarden_embedded::process::PidFile;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Free space below which nothing is started, in MiB.
const LEAST_FREE_MIB: u64 = 256;

/// A child's log is set aside at the next start once it is longer than this.
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
        check_room(&root)?;
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

    /// Sets long logs aside as `<child>.log.1`.
    pub(super) fn turn_logs(&self, children: &[&str]) {
        for path in children.iter().map(|child| self.log(child)) {
            if fs::metadata(&path).is_ok_and(|it| it.len() > LONGEST_LOG) {
                fs::rename(&path, path.with_extension("log.1")).ok();
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
        let mut options = OpenOptions::new();
        let file = options.create(true).write(true).truncate(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(token.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(token)
    }
}

/// Writes a file that is there completely or not at all.
pub(super) fn write_whole(path: &Path, text: &str) -> Result<()> {
    let partial = path.with_extension(format!("new-{}", std::process::id()));
    let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn check_room(root: &Path) -> Result<()> {
    let room = rustix::fs::statvfs(root).with_context(|| format!("cannot ask for room in {}", root.display()))?;
    let free = room.f_bavail.saturating_mul(room.f_frsize) / (1024 * 1024);
    match full(free, root) {
        Some(sentence) => bail!(sentence),
        None => Ok(()),
    }
}

fn full(free_mib: u64, root: &Path) -> Option<String> {
    let root = root.display();
    (free_mib < LEAST_FREE_MIB).then(|| {
        format!("the disk is full: {free_mib} MiB are free in {root}, at least {LEAST_FREE_MIB} MiB are needed")
    })
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
    fn a_full_disk_is_a_sentence() {
        let said = full(3, Path::new("/d")).expect("full");
        assert_eq!(said, "the disk is full: 3 MiB are free in /d, at least 256 MiB are needed");
        assert_eq!(full(LEAST_FREE_MIB, Path::new("/d")), None);
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
