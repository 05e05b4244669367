//! When an event is due: event time, divided by the speed.

use std::time::Duration;

/// How fast event time passes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Speed {
    /// So many times as fast as it happened.
    Times(f64),
    /// As fast as Kafka takes it.
    Max,
}

impl Speed {
    /// Reads `max` or a number above 0.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let times: Option<f64> = text.parse().ok();
        let times = times.filter(|times| times.is_finite() && *times > 0.0);
        times.map(Self::Times).ok_or_else(|| format!("`{text}` is neither max nor a number above 0"))
    }
}

/// Decides when events are due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace(Speed);

impl Pace {
    pub(super) fn new(speed: Speed) -> Self {
        Self(speed)
    }

    /// How long it will take from here: by event time, or by what was sent so far in so much time.
    pub(super) fn left(self, event_ms_left: i64, (sent, of): (usize, usize), took: Duration) -> Option<Duration> {
        match self.0 {
            Speed::Times(_) => Some(self.due(event_ms_left)),
            Speed::Max if sent == 0 => None,
            Speed::Max => {
                let each = took.as_secs_f64() / sent as f64;
                Duration::try_from_secs_f64(each * of.saturating_sub(sent) as f64).ok()
            }
        }
    }

    /// How long after the start an event is due that happened `after_ms` after the first one.
    pub(super) fn due(self, after_ms: i64) -> Duration {
        match self.0 {
            Speed::Max => Duration::ZERO,
            Speed::Times(times) => {
                let seconds = after_ms.max(0) as f64 / 1000.0 / times;
                Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_time_passes_at_the_speed_asked_for() {
        let pace = |text: &str| Pace::new(Speed::parse(text).expect("speed"));
        assert_eq!(pace("1").due(1500), Duration::from_millis(1500));
        assert_eq!(pace("60").due(60_000), Duration::from_secs(1));
        assert_eq!(pace("0.5").due(1000), Duration::from_secs(2));
        assert_eq!(pace("max").due(i64::MAX), Duration::ZERO);
        assert_eq!(pace("1e-300").due(i64::MAX), Duration::MAX);
        let took = Duration::from_secs(10);
        assert_eq!(pace("60").left(120_000, (1, 2), took), Some(Duration::from_secs(2)));
        assert_eq!(pace("max").left(120_000, (50, 200), took), Some(Duration::from_secs(30)));
        assert_eq!(pace("max").left(120_000, (0, 200), took), None);
        for bad in ["0", "-1", "inf", "nan", "fast", ""] {
            assert!(Speed::parse(bad).is_err(), "{bad}");
        }
    }
}
