//! Immutable objects: written once, whole or not at all, and never changed. In a folder of this machine, or in a bucket of
//! S3 or whatever speaks its language and knows conditional writes (`If-None-Match: *`).
//!
//! It refuses to know what is in them. Names are paths of plain words, `a/b/c`.
//!
//! * `OBJ-1` what [`Objects::create`] wrote is there whole, on disk, or not there at all; a name is given once, also among
//!   several processes.

pub use bytes::Bytes;
use object_store::{
    BackoffConfig, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut},
    local::LocalFileSystem,
    path::Path as Name,
    prefix::PrefixStore,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How a bucket is told from a folder.
const S3: &str = "s3://";
/// How long an answer of the bucket may be tried for; whoever writes tries again anyway.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why an object cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The folder cannot be made or used.
    #[error("folder {folder}: {source}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The bucket cannot be used as it is configured.
    #[error("{place}: {source}")]
    Bucket {
        /// As it was given.
        place: String,
        /// Why not.
        source: object_store::Error,
    },
    /// An object cannot be read, written or removed.
    #[error("object {name}: {source}")]
    Object {
        /// Its name.
        name: String,
        /// Why not.
        source: object_store::Error,
    },
}

/// What became of writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Created {
    /// It is written.
    New,
    /// There is one of this name; it is as it was.
    Taken,
}

/// Where objects lie.
#[derive(Clone, Debug)]
pub struct Objects(Arc<dyn ObjectStore>);

impl Objects {
    /// In `s3://bucket/prefix` or a folder. Where S3 is and who we are is told as to every S3 client: `AWS_REGION`,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ENDPOINT`, ... in the environment, or by the machine's role.
    pub fn at(place: &str) -> Result<Self, ObjectError> {
        let said =
            std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        match place.strip_prefix(S3) {
            Some(_) => Self::in_bucket(place, said),
            None => Self::in_folder(Path::new(place)),
        }
    }

    /// In `s3://bucket/prefix`, with settings named like the environment's `AWS_…`.
    pub fn in_bucket(place: &str, settings: impl Iterator<Item = (String, String)>) -> Result<Self, ObjectError> {
        let (bucket, prefix) = place.strip_prefix(S3).and_then(|rest| rest.split_once('/')).unwrap_or((place, ""));
        let mut builder = AmazonS3Builder::new();
        for (key, value) in settings {
            let key = key.to_ascii_lowercase();
            if let Some(Ok(known)) = key.starts_with("aws_").then(|| key.parse::<AmazonS3ConfigKey>()) {
                builder = builder.with_config(known, value);
            }
        }
        let retry = RetryConfig { backoff: BackoffConfig::default(), max_retries: 3, retry_timeout: PATIENCE };
        let store =
            builder.with_bucket_name(bucket).with_conditional_put(S3ConditionalPut::ETagMatch).with_retry(retry);
        let store = store.build().map_err(|source| ObjectError::Bucket { place: place.to_owned(), source })?;
        Ok(Self(Arc::new(PrefixStore::new(store, prefix))))
    }

    /// In a folder, made when missing.
    pub fn in_folder(folder: &Path) -> Result<Self, ObjectError> {
        let refused = |source| ObjectError::Folder { folder: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(|error| refused(error.into()))?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| refused(error.into()))?;
        // Without it a machine that loses power may keep a manifest and lose what it names.
        Ok(Self(Arc::new(store.with_fsync(true))))
    }

    /// Writes an object unless there is one of this name (`OBJ-1`).
    pub async fn create(&self, name: &str, body: impl Into<Bytes>) -> Result<Created, ObjectError> {
        let how = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.0.put_opts(&Name::from(name), body.into().into(), how).await {
            Ok(_) => Ok(Created::New),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(Created::Taken),
            Err(source) => Err(ObjectError::Object { name: name.to_owned(), source }),
        }
    }

    /// An object's body; none when there is no object of this name.
    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        let failed = |source| ObjectError::Object { name: name.to_owned(), source };
        let found = match self.0.get_opts(&Name::from(name), GetOptions::default()).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        found.bytes().await.map(|bytes| Some(bytes.into())).map_err(failed)
    }

    /// A part of an object's body.
    pub async fn get_range(&self, name: &str, bytes: std::ops::Range<u64>) -> Result<Bytes, ObjectError> {
        let found = self.0.get_range(&Name::from(name), bytes).await;
        found.map_err(|source| ObjectError::Object { name: name.to_owned(), source })
    }

    /// The names that begin with the words of `prefix`, rising.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        use futures::TryStreamExt;
        let within = Name::from(prefix);
        let found = self.0.list(Some(&within)).map_ok(|found| found.location.to_string()).try_collect();
        let mut names: Vec<String> =
            found.await.map_err(|source| ObjectError::Object { name: prefix.to_owned(), source })?;
        names.sort_unstable();
        Ok(names)
    }

    /// Removes an object; one that is gone already is no failure.
    pub async fn remove(&self, name: &str) -> Result<(), ObjectError> {
        match self.0.delete(&Name::from(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(ObjectError::Object { name: name.to_owned(), source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects() -> (tempfile::TempDir, Objects) {
        let folder = tempfile::tempdir().expect("folder");
        let objects = Objects::in_folder(&folder.path().join("deep/er")).expect("objects");
        (folder, objects)
    }

    #[tokio::test]
    async fn a_name_is_given_once() {
        let (_folder, objects) = objects();
        assert_eq!(objects.create("a/1", b"one".to_vec()).await.expect("written"), Created::New);
        assert_eq!(objects.create("a/1", b"two".to_vec()).await.expect("asked"), Created::Taken);
        assert_eq!(objects.get("a/1").await.expect("read"), Some(b"one".to_vec()));
        assert_eq!(objects.get("a/2").await.expect("read"), None);
    }

    #[tokio::test]
    async fn of_many_that_want_a_name_one_gets_it() {
        let (_folder, objects) = objects();
        let wants = (0u8..16).map(|number| {
            let objects = objects.clone();
            tokio::spawn(async move { objects.create("claims/7", vec![number; 1 << 16]).await.expect("asked") })
        });
        let mut winners = 0;
        for want in wants.collect::<Vec<_>>() {
            winners += u32::from(want.await.expect("joined") == Created::New);
        }
        assert_eq!(winners, 1);
        let body = objects.get("claims/7").await.expect("read").expect("there");
        assert!(body.len() == 1 << 16 && body.iter().all(|byte| Some(byte) == body.first()), "whole, of one of them");
    }

    #[tokio::test]
    async fn what_is_there_is_listed_and_can_go() {
        let (_folder, objects) = objects();
        for name in ["a/2", "a/1", "a/b/3", "b/1", "ab/1"] {
            objects.create(name, Bytes::new()).await.expect("written");
        }
        assert_eq!(objects.list("a").await.expect("listed"), ["a/1", "a/2", "a/b/3"]);
        objects.remove("a/1").await.expect("removed");
        objects.remove("a/1").await.expect("gone already");
        assert_eq!(objects.list("a").await.expect("listed"), ["a/2", "a/b/3"]);
        assert_eq!(objects.list("nobody").await.expect("listed"), Vec::<String>::new());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let (folder, _objects) = objects();
        let file = folder.path().join("file");
        std::fs::write(&file, b"").expect("written");
        let refused = Objects::in_folder(&file.join("sub")).expect_err("a file is no folder").to_string();
        assert!(refused.contains("file/sub"), "{refused}");
    }
}
