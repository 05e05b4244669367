//! Who owns what: partitions by number, areas by the hash of their name.
//!
//! `SHD-1` which shard an area belongs to is a function of its layer and code alone: not of a worker, a process or a build.
//! A worker owns whole shards, so that another number of workers moves shards and never splits one.

/// Number of shards. Never changes: saved state will be cut along them.
pub(crate) const SHARDS: u16 = 64;

/// The shard of an area. FNV-1a: short texts, and the same answer for ever.
pub(crate) fn shard_of(layer: &str, code: &str) -> u16 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let bytes = layer.bytes().chain([0]).chain(code.bytes());
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    // The high bits of FNV are mixed better than the low ones.
    ((hash ^ (hash >> 32)) % u64::from(SHARDS)) as u16
}

/// The shard in which a rule over several entities is decided, by its id alone.
pub(crate) fn shard_of_rule(rule: &str) -> u16 {
    shard_of("rule", rule)
}

/// The worker that reads a partition: `f(partition, workers)`, topics shifted against each other.
pub(crate) fn reader_of(topic: u16, partition: i32, workers: usize) -> usize {
    (usize::from(topic) + partition.unsigned_abs() as usize) % workers.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_fixed_for_ever() {
        // Saved state depends on these.
        assert_eq!(shard_of("grid", "310115001001001"), 16);
        assert_ne!(shard_of("grid", "a"), shard_of("grid", "b"));
    }

    #[test]
    fn areas_spread_over_shards() {
        let mut load = vec![0u32; usize::from(SHARDS)];
        for number in 0..64_000 {
            load[usize::from(shard_of("grid", &format!("310115{number:09}")))] += 1;
        }
        assert!(load.iter().all(|count| (700..1300).contains(count)), "{load:?}");
    }

    #[test]
    fn every_partition_has_one_reader_and_readers_share_evenly() {
        for workers in 1..8 {
            let mut load = vec![0; workers];
            for partition in 0..24 {
                load[reader_of(1, partition, workers)] += 1;
            }
            assert!(load.iter().max().unwrap() - load.iter().min().unwrap() <= 1, "{load:?}");
        }
    }
}
