//! How a worker copies entities: for a moment at a time, then it rests, so that those who wait for a record's alert hardly notice. A
//! copy is of one moment however long it takes (`CKP-5`), so there is no hurry.

use std::time::{Duration, Instant};

/// How long a worker copies before it does other things.
const COPY: Duration = Duration::from_millis(1);
/// How long it then does them: other workers, the broker and whoever writes the copies down want the processor, too.
const REST: Duration = Duration::from_millis(4);

/// When a worker copies.
pub(crate) struct Pace {
    next: Instant,
}

/// What a worker does about copies now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// It copies until then, and again after so long.
    Copy(Instant, Duration),
    /// It still rests.
    Rest,
}

impl Pace {
    /// There is nothing to rest from.
    pub(crate) fn new(now: Instant) -> Self {
        Self { next: now }
    }

    /// Whose turn it is. `hurry`: nobody waits for what is read.
    pub(crate) fn turn(&mut self, now: Instant, hurry: bool) -> Turn {
        if now < self.next && !hurry {
            return Turn::Rest;
        }
        let (until, rest) = (now + COPY, if hurry { Duration::ZERO } else { REST });
        self.next = until + rest;
        Turn::Copy(until, COPY + rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_of_copying_is_followed_by_rest_unless_nobody_waits() {
        let now = Instant::now();
        let after = |ms| now + Duration::from_millis(ms);
        let mut pace = Pace::new(now);
        assert_eq!(pace.turn(now, false), Turn::Copy(after(1), Duration::from_millis(5)));
        assert_eq!(pace.turn(after(4), false), Turn::Rest);
        assert_eq!(pace.turn(after(4), true), Turn::Copy(after(5), Duration::from_millis(1)));
        assert_eq!(pace.turn(after(5), false), Turn::Copy(after(6), Duration::from_millis(5)));
        assert_eq!(pace.turn(after(9), false), Turn::Rest);
    }
}
