//! Reading a look: the values of a metric over a level, folded over a span of time.

use crate::atlas::Sheet;
use crate::catalogue::Statistic;
use crate::fold;
use crate::live::diff::Look;
use gridwarden_store::StoreError;
use gridwarden_store::read::{Reader, WindowsOf};
use std::sync::Arc;

/// Windows of 10 s serve spans up to this; longer ones are folded from windows of a minute.
const FINE_UNTIL_S: u32 = 600;
/// Longest span, in seconds.
pub const MOST_SPAN_S: u32 = 31 * 86_400;
/// Where the newest window is looked for first.
const NEAR_S: u32 = 2 * 86_400;

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// Layer id.
    pub layer: String,
    /// Level id.
    pub level: String,
    /// Metric.
    pub metric: String,
    /// Seconds folded.
    pub span_s: u32,
    /// How.
    pub statistic: Statistic,
}

impl Subject {
    /// The name values of it go by in the live stream.
    pub fn key(&self) -> String {
        let Self { layer, level, metric, span_s, statistic } = self;
        format!("{layer}|{level}|{metric}|{span_s}|{}", statistic.name())
    }

    /// Length of the windows it is folded from.
    pub fn window_s(&self) -> u32 {
        if self.span_s <= FINE_UNTIL_S { 10 } else { 60 }
    }

    /// Ticks between two looks: a long span changes slowly and costs more.
    pub fn every(&self) -> u64 {
        match self.span_s {
            0..=60 => 1,
            61..=600 => 2,
            601..=3_600 => 5,
            _ => 30,
        }
    }

    fn windows(&self) -> WindowsOf {
        WindowsOf {
            layer: self.layer.clone(),
            level: self.level.clone(),
            metric: self.metric.clone(),
            window_s: self.window_s(),
        }
    }
}

/// The newest window near now, else the newest there is.
pub async fn newest(reader: &Reader, of: &WindowsOf, now_ms: i64) -> Result<Option<u32>, StoreError> {
    let now_s = u32::try_from(now_ms / 1000).unwrap_or_default();
    match reader.newest_window(of, now_s.saturating_sub(NEAR_S)).await? {
        Some(found) => Ok(Some(found)),
        None => reader.newest_window(of, 0).await,
    }
}

/// Reads the values. `until_ms` = end of the span; the newest window's end when `None`.
pub async fn read(
    reader: &Reader,
    sheet: &Arc<Sheet>,
    subject: &Subject,
    until_ms: Option<i64>,
    now_ms: i64,
) -> Result<Look, StoreError> {
    let (of, window) = (subject.windows(), subject.window_s());
    let version = sheet.version_at(now_ms);
    let last = match until_ms {
        Some(until) => u32::try_from(until / 1000).ok().and_then(|until| until.checked_sub(window)),
        None => newest(reader, &of, now_ms).await?,
    };
    let Some(last) = last else { return Ok(Look { version, ..Look::default() }) };
    let from = (last + window).saturating_sub(subject.span_s.max(window));
    let rows = reader.fold_windows(&of, from, last).await?;
    let values = fold::values(&rows, sheet, subject.statistic, now_ms);
    let closed = rows.iter().all(|row| row.closed);
    Ok(Look { version, until: Some(i64::from(last + window) * 1000), closed, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_spans_are_folded_from_minutes_and_looked_at_less_often() {
        let subject = |span_s| Subject {
            layer: "l".into(),
            level: "v".into(),
            metric: "m".into(),
            span_s,
            statistic: Statistic::Mean,
        };
        assert_eq!((subject(60).window_s(), subject(60).every()), (10, 1));
        assert_eq!((subject(600).window_s(), subject(600).every()), (10, 2));
        assert_eq!((subject(86_400).window_s(), subject(86_400).every()), (60, 30));
        assert_eq!(subject(60).key(), "l|v|m|60|mean");
    }
}
