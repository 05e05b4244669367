//! What a back-test found, for people.

use crate::moment::said as time;
use gridwarden_domain::alert::AreaRef;
use gridwarden_stream::{Change, Outcome, Told, Totals, Unseen, What};
use std::collections::BTreeMap;

/// The lines of the table, with so many differences.
pub(super) fn lines(outcome: &Outcome, show: usize) -> Vec<String> {
    let mut lines = vec![of_totals("before", &outcome.before), of_totals("after", &outcome.after)];
    lines.extend(of_incidents(&outcome.incidents));
    lines.push(String::new());
    lines.push(row("rule", ["state", "before", "after", "added", "removed", "changed"].map(str::to_owned)));
    for of in &outcome.rules {
        let count = &of.count;
        let numbers = [count.before, count.after, count.added, count.removed, count.changed].map(|n| n.to_string());
        let [before, after, added, removed, changed] = numbers;
        lines.push(row(&of.rule, [of.state.to_owned(), before, after, added, removed, changed]));
    }
    if outcome.changes.is_empty() {
        lines.extend([String::new(), "no difference".to_owned()]);
        return lines;
    }
    lines.push(String::new());
    lines.extend(outcome.changes.iter().take(show).map(of_change));
    if let Some(more) = outcome.changes.len().checked_sub(show).filter(|more| *more > 0) {
        lines.push(format!("and {more} more; --json has all of them"));
    }
    lines
}

/// What of the time asked for is no longer in Kafka, a line a topic.
pub(super) fn unseen(logs: &[Unseen]) -> Vec<String> {
    let mut of_topics: BTreeMap<&str, Vec<&Unseen>> = BTreeMap::new();
    logs.iter().for_each(|log| of_topics.entry(&log.topic).or_default().push(log));
    let of_topic = |(topic, logs): (&str, Vec<&Unseen>)| {
        let partitions: Vec<String> = logs.iter().map(|log| log.partition.to_string()).collect();
        let begins = logs.iter().filter_map(|log| log.appended_at).max();
        let before = begins.map_or("the time asked for".to_owned(), time);
        format!(
            "{topic}, partitions {}: Kafka no longer holds all that was appended before {before}; what is gone is not seen",
            partitions.join(", ")
        )
    };
    of_topics.into_iter().map(of_topic).collect()
}

fn of_totals(name: &str, totals: &Totals) -> String {
    let worst =
        totals.worst_hour_at.map_or(String::new(), |at| format!(", {} in the worst, {}", totals.worst_hour, time(at)));
    format!("{name:<7}{} alerts, {} critical; {} an hour{worst}", totals.alerts, totals.critical, totals.per_hour)
}

fn of_incidents(told: &Told) -> Vec<String> {
    if told.given == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!("of {} incidents {} were told of, {} would be", told.given, told.before, told.after)];
    for (what, ids) in [("lost", &told.lost), ("won", &told.won), ("told of by neither", &told.missed)] {
        if !ids.is_empty() {
            lines.push(format!("{what}: {}", ids.join(", ")));
        }
    }
    lines
}

fn row(rule: &str, [state, before, after, added, removed, changed]: [String; 6]) -> String {
    format!("{rule:<32} {state:<8} {before:>8} {after:>8} {added:>8} {removed:>8} {changed:>8}")
}

fn of_change(change: &Change) -> String {
    let episode = &change.episode;
    let sign = match change.what {
        What::Added => '+',
        What::Removed => '-',
        What::Changed => '~',
    };
    let (_, subject) = episode.subject.named();
    let end = |end: Option<i64>| end.map_or("open".to_owned(), time);
    let was = change.was.map_or(String::new(), |(begin, until)| format!(" (was {} to {})", time(begin), end(until)));
    let place = episode.area().map_or(String::new(), |area| format!(" in {}", named(area)));
    let value = episode.value.map_or(String::new(), |value| format!(" at {value}"));
    let (partition, offset) = (episode.cause.partition, episode.cause.offset);
    format!(
        "{sign} {} {subject}{place}{value}: {} to {}{was}; record {partition}/{offset}",
        episode.rule,
        time(episode.raised_at),
        end(episode.cleared_at)
    )
}

fn named(area: &AreaRef) -> String {
    format!("{}/{}", area.layer, area.code)
}
