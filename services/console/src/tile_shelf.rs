//! Tiles kept in memory: made once per layer version and place, compressed once, told apart by their content.

use crate::tiles::Address;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Which tile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TileKey {
    /// Layer id.
    pub layer: String,
    /// Layer version.
    pub version: String,
    /// Number of the level.
    pub level: usize,
    /// Place.
    pub address: Address,
}

/// A tile ready to be sent.
#[derive(Clone, Debug)]
pub struct Tile {
    /// As made.
    pub plain: Bytes,
    /// The same, gzip.
    pub gzip: Bytes,
    /// Strong ETag, quotes included.
    pub etag: String,
}

impl Tile {
    /// Compresses and signs a tile.
    pub fn new(plain: Vec<u8>) -> std::io::Result<Self> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(5));
        encoder.write_all(&plain)?;
        let gzip = encoder.finish()?;
        let mut etag = hex::encode(Sha256::digest(&plain));
        etag.truncate(16);
        Ok(Self { plain: plain.into(), gzip: gzip.into(), etag: format!("\"{etag}\"") })
    }
}

/// A clock that counts askings, and each tile with when it was last asked for.
#[derive(Default)]
struct Tiles {
    clock: u64,
    by_key: HashMap<TileKey, (u64, Arc<Tile>)>,
}

/// The shelf. When it is full, the half that was not asked for longest goes.
pub struct TileShelf {
    keep: usize,
    inner: Mutex<Tiles>,
}

impl TileShelf {
    /// A shelf for at most `keep` tiles.
    pub fn new(keep: usize) -> Self {
        Self { keep: keep.max(1), inner: Mutex::default() }
    }

    /// A tile, if it is there.
    pub fn get(&self, key: &TileKey) -> Option<Arc<Tile>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Tiles { clock, by_key } = &mut *inner;
        *clock += 1;
        let (used, tile) = by_key.get_mut(key)?;
        *used = *clock;
        Some(Arc::clone(tile))
    }

    /// Puts a tile on the shelf.
    pub fn put(&self, key: TileKey, tile: Arc<Tile>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Tiles { clock, by_key } = &mut *inner;
        if by_key.len() >= self.keep {
            let mut used: Vec<u64> = by_key.values().map(|(used, _)| *used).collect();
            used.sort_unstable();
            let border = used.get(used.len() / 2).copied().unwrap_or_default();
            by_key.retain(|_, (used, _)| *used > border);
        }
        *clock += 1;
        by_key.insert(key, (*clock, tile));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(x: u32) -> TileKey {
        TileKey { layer: "l".into(), version: "v".into(), level: 0, address: Address::new(10, x, 0).expect("tile") }
    }

    #[test]
    fn a_full_shelf_lets_go_of_what_was_not_asked_for() {
        let shelf = TileShelf::new(4);
        for x in 0..4 {
            shelf.put(key(x), Arc::new(Tile::new(vec![0; 8]).expect("tile")));
        }
        assert!(shelf.get(&key(0)).is_some());
        shelf.put(key(9), Arc::new(Tile::new(Vec::new()).expect("tile")));
        assert!(shelf.get(&key(0)).is_some() && shelf.get(&key(9)).is_some());
        assert!(shelf.get(&key(1)).is_none());
    }

    #[test]
    fn the_etag_follows_the_content() {
        let of = |bytes: &[u8]| Tile::new(bytes.to_vec()).expect("tile").etag;
        assert_eq!(of(b"a"), of(b"a"));
        assert_ne!(of(b"a"), of(b"b"));
    }
}
