//! `RUL-1`, `WMK-1`, `INT-3`: the same logs give the same alerts and the same windows, however partitions are interleaved, on
//! however many workers, and however late the control topics become known, as long as records wait for what is in force.

use super::*;
use proptest::prelude::*;

const PARTS: u16 = 2;

/// The grid with the border between its cells moved.
pub(super) const REDRAWN: (&str, &str) = (
    r#"{"layer":"grid","levels":[{"id":"district"},{"id":"cell"}],"main":true}"#,
    r#"[{"code":"d","level":0},
        {"code":"a","level":1,"parent":"d","polygons":[[[[0,0],[0.6,0],[0.6,1],[0,1],[0,0]]]]},
        {"code":"b","level":1,"parent":"d","polygons":[[[[0.6,0],[2,0],[2,1],[0.6,1],[0.6,0]]]]}]"#,
);

/// Rules that come, change and go, by what a change may be: the id and one of its documents.
const CHANGES: [(&str, Option<&str>); 19] = [
    ("hot", Some(HOT)),
    ("hot", None),
    (
        "hot",
        Some(
            r#"{"id":"hot","version":3,"title":{"en":"Hot"},"severity":"major","reorder_s":8,
            "threshold":{"value":"t","side":"above","level":30,"hold_s":20}}"#,
        ),
    ),
    (
        "in",
        Some(
            r#"{"id":"in","version":3,"title":{"en":"x"},"severity":"minor","reorder_s":8,
            "fence":{"shape":{"area":{"layer":"grid","code":"b"}},"on":"enter","first_counts":true}}"#,
        ),
    ),
    (
        "stays",
        Some(
            r#"{"id":"stays","version":3,"title":{"en":"x"},"severity":"minor","reorder_s":25,
            "fence":{"shape":{"line":{"points":[[0.3,0.5],[1.1,0.5]],"reach_m":10000}},"on":"dwell","hold_s":6,"margin_m":9000}}"#,
        ),
    ),
    (
        "fast",
        Some(
            r#"{"id":"fast","version":2,"title":{"en":"x"},"severity":"minor","reorder_s":25,
            "fence":{"shape":{"area":{"layer":"grid","code":"a"}},"on":"speed","speed":{"above_kmh":1900},"hold_s":2}}"#,
        ),
    ),
    (
        "hot",
        Some(
            r#"{"id":"hot","version":2,"title":{"en":"Hot"},"severity":"major",
            "threshold":{"value":"t","side":"above","level":20,"clear":15,"hold_s":5}}"#,
        ),
    ),
    (
        "now",
        Some(
            r#"{"id":"now","version":1,"title":{"en":"x"},"severity":"minor","select":{"areas":[{"layer":"grid","code":"a"}]},
            "threshold":{"value":"t","side":"below","level":5}}"#,
        ),
    ),
    ("now", None),
    (
        "in",
        Some(
            r#"{"id":"in","version":1,"title":{"en":"x"},"severity":"minor",
            "fence":{"shape":{"area":{"layer":"grid","code":"b"}},"on":"enter","first_counts":true}}"#,
        ),
    ),
    (
        "in",
        Some(
            r#"{"id":"in","version":2,"title":{"en":"x"},"severity":"minor",
            "fence":{"shape":{"circle":{"centre":[0.5,0.5],"radius_m":40000}},"on":"exit"}}"#,
        ),
    ),
    ("in", None),
    (
        "stays",
        Some(
            r#"{"id":"stays","version":1,"title":{"en":"x"},"severity":"minor",
            "fence":{"shape":{"line":{"points":[[0.3,0.5],[1.1,0.5]],"reach_m":10000}},"on":"dwell","hold_s":6,"margin_m":9000}}"#,
        ),
    ),
    // The logs begin at 00:16:40.
    (
        "stays",
        Some(
            r#"{"id":"stays","version":2,"title":{"en":"x"},"severity":"minor",
            "schedule":{"periods":[{"from":"00:17","to":"00:18"},{"from":"00:20","to":"00:22"}]},
            "fence":{"shape":{"line":{"points":[[0.3,0.5],[1.1,0.5]],"reach_m":10000}},"on":"dwell","hold_s":6,"margin_m":9000}}"#,
        ),
    ),
    (
        "through",
        Some(
            r#"{"id":"through","version":1,"title":{"en":"x"},"severity":"minor",
            "fence":{"shape":{"circle":{"centre":[0.9,0.5],"radius_m":20000}},"on":"cross","way_s":20}}"#,
        ),
    ),
    (
        "fast",
        Some(
            r#"{"id":"fast","version":1,"title":{"en":"x"},"severity":"minor",
            "fence":{"shape":{"area":{"layer":"grid","code":"a"}},"on":"speed","speed":{"above_kmh":1900},"hold_s":2}}"#,
        ),
    ),
    (
        "silent",
        Some(
            r#"{"id":"silent","version":3,"title":{"en":"x"},"severity":"minor","silence":{"after_s":8},
            "schedule":{"periods":[{"from":"00:17","to":"00:19"},{"from":"00:20","to":"00:21"}]}}"#,
        ),
    ),
    ("silent", Some(r#"{"id":"silent","version":1,"title":{"en":"x"},"severity":"minor","silence":{"after_s":8}}"#)),
    (
        "silent",
        Some(
            r#"{"id":"silent","version":2,"title":{"en":"x"},"severity":"minor","select":{"areas":[{"layer":"grid","code":"a"}]},
            "silence":{"after_s":12}}"#,
        ),
    ),
];

#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) part: u16,
    pub(super) appended: i64,
    pub(super) text: String,
}

/// Records in order of reading, control changes in order of append.
#[derive(Clone, Debug)]
pub(super) struct Logs {
    pub(super) lines: Vec<Line>,
    /// (append time, which of [`CHANGES`], or a redrawn layer).
    changes: Vec<(i64, usize)>,
}

pub(super) fn logs() -> impl Strategy<Value = Logs> {
    let line = (0..PARTS, -1_500i64..6_000, 0u8..3, (-3_000i64..15_000, 0u8..12), 0i32..40, 0u8..30);
    let change = (0i64..400_000, 0..=CHANGES.len());
    (prop::collection::vec(line, 1..120), prop::collection::vec(change, 0..8)).prop_map(|(items, mut changes)| {
        let mut clocks = [1_000_000i64; PARTS as usize];
        let line = |(part, step, source, (back, lon), value, id): (u16, i64, u8, (i64, u8), i32, u8)| {
            let clock = &mut clocks[usize::from(part)];
            *clock += step;
            let (time, lon) = (*clock - back, f64::from(lon) * 0.2);
            // An entity belongs to one partition.
            let text = format!(
                r#"{{"id":"{id}","source":"s{part}-{source}","kind":"air","time":{time},"position":{{"lon":{lon},"lat":0.5}},"values":{{"t":{value}}}}}"#
            );
            Line { part, appended: *clock, text }
        };
        let lines = items.into_iter().map(line).collect();
        changes.sort_unstable();
        Logs { lines, changes: changes.into_iter().map(|(at, which)| (1_000_000 + at, which)).collect() }
    })
}

impl Logs {
    /// What is in force as far as the first `known` changes say, per number of changes.
    pub(super) fn timelines(&self) -> Vec<Arc<Timeline>> {
        let mut fold = Fold::new();
        publish_layer(&mut fold, GRID, 0);
        let mut timelines = vec![Arc::new(fold.timeline())];
        for (at, which) in &self.changes {
            match CHANGES.get(*which) {
                Some((id, rule)) => fold.rule(id.as_bytes(), rule.map(str::as_bytes), *at).expect("rule"),
                None => publish_layer(&mut fold, REDRAWN, *at),
            }
            timelines.push(Arc::new(fold.timeline()));
        }
        timelines
    }
}

/// Reads lines of some partitions. `known`: how many changes are known when a record appended at a moment is taken.
fn run(logs: &Logs, parts: &[u16], known: impl Fn(i64) -> usize) -> Desk {
    let timelines = logs.timelines();
    let mut desk = Desk::with(Arc::clone(&timelines[0]));
    desk.intake = Intake::new(&desk.shared, parts, 1_000);
    let mut last = 0;
    for line in logs.lines.iter().filter(|line| parts.contains(&line.part)) {
        // What is known once stays known.
        last = known(line.appended).max(last);
        desk.intake.set_timeline(Arc::clone(&timelines[last]));
        desk.take(line.part, line.appended, &line.text);
    }
    desk
}

/// What was said of each partition's entities, in order.
fn said(desk: &Desk, part: u16) -> Vec<String> {
    let of_part = desk.out.alerts.iter().filter(|alert| alert.cause.partition == i32::from(part));
    of_part.map(|alert| serde_json::to_string(alert).expect("json")).collect()
}

#[test]
fn what_several_rules_say_of_a_record_comes_in_the_order_of_their_ids() {
    let rule = |id: &str| {
        format!(
            r#"{{"id":"{id}","version":1,"title":{{"en":"x"}},"severity":"minor","threshold":{{"value":"t","side":"above","level":30}}}}"#
        )
    };
    let mut fold = Fold::new();
    publish_layer(&mut fold, GRID, 0);
    for (id, at) in [("c", 0), ("b", 1_100_000), ("a", 1_200_000)] {
        fold.rule(id.as_bytes(), Some(rule(id).as_bytes()), at).expect("rule");
    }
    let mut desk = Desk::with(Arc::new(fold.timeline()));
    for (appended, value) in [(1_000_000, 0), (1_150_000, 0), (1_250_000, 40)] {
        let text = format!(
            r#"{{"source":"s","kind":"air","time":{appended},"position":{{"lon":0.2,"lat":0.5}},"values":{{"t":{value}}}}}"#
        );
        desk.take(0, appended, &text);
    }
    let said: Vec<&str> = desk.out.alerts.iter().map(|alert| alert.rule.as_str()).collect();
    assert_eq!(said, ["a", "b", "c"], "not in the order in which they were met");
}

proptest! {
    #[test]
    fn neither_interleaving_nor_workers_nor_the_moment_of_knowing_matters(logs in logs()) {
        let mut together = run(&logs, &[0, 1], |_| logs.changes.len());
        let mut totals = BTreeMap::<_, (u64, i128)>::new();
        for part in 0..PARTS {
            // The least that may be known: the control topics up to a second before the record.
            let least = |appended| logs.changes.iter().filter(|(at, _)| *at <= appended - 1_000).count();
            let mut alone = run(&logs, &[part], least);
            prop_assert_eq!(said(&alone, part), said(&together, part));
            for (key, (count, sum)) in alone.totals() {
                let total = totals.entry(key).or_default();
                *total = (total.0 + count, total.1 + sum);
            }
        }
        prop_assert_eq!(totals, together.totals());
    }
}
