//! Watermarks as the owner of windows sees them: per domain the minimum over all partitions.

use std::collections::BTreeMap;

/// Not a watermark's domain: a partition that speaks of it is read past where it ended when this process began.
pub(crate) const FENCE: u8 = u8::MAX;

/// What is known of a domain.
#[derive(Default)]
struct Domain {
    parts: BTreeMap<u16, i64>,
}

/// Marks by domain and partition.
#[derive(Default)]
pub(crate) struct Marks {
    domains: BTreeMap<u8, Domain>,
}

impl Marks {
    /// Takes a partition's newest mark. A lower one than before is taken as well: a historical feed begins anew after its
    /// end.
    pub(crate) fn set(&mut self, domain: u8, part: u16, watermark: i64) {
        self.domains.entry(domain).or_default().parts.insert(part, watermark);
    }

    /// The domain's watermark: the lowest of its partitions, none while one of the `expected` has not spoken.
    pub(crate) fn watermark(&self, domain: u8, expected: usize) -> Option<i64> {
        let parts = &self.domains.get(&domain)?.parts;
        if parts.len() < expected { None } else { parts.values().copied().min() }
    }

    /// The watermarks of all domains that have one.
    pub(crate) fn watermarks(&self, expected: impl Fn(u8) -> usize) -> Vec<(u8, i64)> {
        self.domains().filter_map(|domain| Some((domain, self.watermark(domain, expected(domain))?))).collect()
    }

    /// Domains that have spoken.
    pub(crate) fn domains(&self) -> impl Iterator<Item = u8> {
        self.domains.keys().copied().filter(|domain| *domain != FENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_partition_decides_and_the_silent_one_holds() {
        let mut marks = Marks::default();
        marks.set(0, 0, 500);
        assert_eq!(marks.watermark(0, 2), None);
        marks.set(0, 1, 300);
        assert_eq!(marks.watermark(0, 2), Some(300));
        marks.set(0, 1, 900);
        assert_eq!(marks.watermark(0, 2), Some(500));
        assert_eq!(marks.watermark(1, 1), None);
    }
}
