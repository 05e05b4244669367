//! The version of a layer: a hash of what it says, so that equal content has equal version wherever it is made.

use super::{Area, LayerHead};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::io;

/// `(version, hash)` of a layer: SHA-256 (hex) over the JSON of head and areas, one per line, areas ordered by level, code
/// and begin of validity; the version is its first 16 digits.
pub fn version_of(head: &LayerHead, areas: &[Area]) -> (String, String) {
    let mut ordered: Vec<&Area> = areas.iter().collect();
    ordered.sort_by(|a, b| {
        let key = |area: &Area| (area.level, area.valid_from);
        key(a).0.cmp(&key(b).0).then_with(|| a.code.cmp(&b.code)).then(key(a).1.cmp(&key(b).1))
    });
    let mut hash = Hashing(Sha256::new());
    hash.line(head);
    for area in ordered {
        hash.line(area);
    }
    let hash = hex::encode(hash.0.finalize());
    let version = hash.chars().take(16).collect();
    (version, hash)
}

struct Hashing(Sha256);

impl Hashing {
    fn line(&mut self, value: &impl Serialize) {
        // These types always have a JSON form: string keys, finite or null numbers; and hashing does not fail.
        if serde_json::to_writer(&mut *self, value).is_ok() {
            self.0.update(b"\n");
        }
    }
}

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
