//! How far the logs are ahead of what was read, and how long it takes until retention deletes what waits.

use super::Source;
use gridwarden_domain::retention::{ALARM_BEFORE_S, ALARM_EVERY, left_s};
use gridwarden_runtime::clock::now_ms;
use std::time::Instant;

impl Source {
    /// Takes the newest answer, once.
    pub(super) fn note_ends(&mut self) {
        let answer = self.context.ends.get();
        if answer.asked_ms == self.ends_seen {
            return;
        }
        self.ends_seen = answer.asked_ms;
        self.behind = 0;
        let mut oldest: Option<i64> = None;
        for part in &self.parts {
            let end = answer.ends.get(usize::from(*part)).copied().unwrap_or(0);
            let behind = self.intake.end_known(*part, end, answer.asked_ms);
            self.behind += behind;
            // What waits was appended no earlier than what was read last. What leaves the logs before they are read at all comes from
            // the archive.
            let waits = if behind > 0 && self.archive.is_none() { self.intake.appended(*part) } else { None };
            oldest = oldest.into_iter().chain(waits).min();
        }
        self.context.shared.metrics.behind.with_label_values(&[&self.label]).set(self.behind);
        self.look_at_retention(oldest);
    }

    /// Records that are about to be deleted before they are read: told a day before.
    fn look_at_retention(&mut self, oldest_ms: Option<i64>) {
        let left_s = left_s(self.context.retentions_ms.iter().copied(), oldest_ms, now_ms());
        self.context.shared.metrics.loss_in.with_label_values(&[&self.label]).set(left_s);
        let now = Instant::now();
        if oldest_ms.is_some() && left_s < ALARM_BEFORE_S && now >= self.alarm_at {
            self.alarm_at = now + ALARM_EVERY;
            tracing::error!(left_s, "retention is about to delete records that were not read yet");
        }
    }
}
