//! Whether the suite finds what it is there to find: bugs built into the services on purpose, each woken alone under a schedule that
//! holds the fault it shows under.

use super::{Counts, Fault, Ground, Plan, Report};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// A bug, and what it takes to see it.
struct Bug {
    /// As `GRIDWARDEN_SEEDED_BUG` names it.
    name: &'static str,
    faults: &'static [Fault],
    /// Figures it may show in.
    shows_in: &'static [&'static str],
}

const RESTARTS: &[Fault] = &[Fault::Quiet(1_500), Fault::Stream, Fault::Stream, Fault::Stream, Fault::Quiet(1_500)];
const ARCHIVES: &[Fault] = &[Fault::Archive, Fault::Archive, Fault::Archive, Fault::Archive, Fault::Archive];
const AWAY: &[Fault] = &[Fault::ClickHouseAndStream, Fault::ClickHouseAndStream, Fault::ClickHouseAndStream];
/// Shows only where an alert was under way when the broker went: the quicker it is, the seldomer.
const SILENCE: &[Fault] = &[
    Fault::KafkaAndStream,
    Fault::KafkaAndStream,
    Fault::KafkaAndStream,
    Fault::KafkaAndStream,
    Fault::KafkaAndStream,
    Fault::KafkaAndStream,
    Fault::KafkaAndStream,
    Fault::KafkaAndStream,
    Fault::KafkaAndStream,
    Fault::KafkaAndStream,
    Fault::KafkaAndStream,
];
const CHANGES: &[Fault] = &[Fault::Quiet(9_000)];
const WINDOWS: &[&str] = &["windows_differ"];
const ALERTS: &[&str] = &["alerts_missed", "alerts_repeated", "alerts_left_open"];

const fn bug(name: &'static str, faults: &'static [Fault], shows_in: &'static [&'static str]) -> Bug {
    Bug { name, faults, shows_in }
}

/// What is wrong in each stands in `tests/README.md`.
const BUGS: [Bug; 25] = [
    // While the broker holds few topics: the more, the longer it takes to come back.
    bug("checkpoint-before-alerts", SILENCE, ALERTS),
    bug("token-without-range", &[Fault::Quiet(3_000)], &["lost"]),
    bug("insert-given-up", &[Fault::Quiet(2_000), Fault::ClickHouseAway(6), Fault::Quiet(2_000)], &["lost"]),
    bug("high-water-cursor", ARCHIVES, &["lost"]),
    bug("unacknowledged-reject", ARCHIVES, &["lost"]),
    bug("order-key-without-identity", &[Fault::Quiet(4_000)], &["lost"]),
    bug("view-without-final", &[Fault::ZombieArchive, Fault::ZombieArchive], &["seen_twice"]),
    bug("control-on-arrival-archive", CHANGES, &["rows_differ"]),
    bug("named-area-unread", &[Fault::Quiet(2_000)], &["rows_differ"]),
    bug("control-on-arrival", CHANGES, WINDOWS),
    bug("sums-behind-the-cut", RESTARTS, WINDOWS),
    bug("offset-behind-the-effect", RESTARTS, WINDOWS),
    bug("held-records-saved", RESTARTS, WINDOWS),
    bug("version-by-emissions", RESTARTS, WINDOWS),
    bug("restored-windows-twice", RESTARTS, WINDOWS),
    bug("ids-forgotten", RESTARTS, WINDOWS),
    bug("report-ids-forgotten", RESTARTS, WINDOWS),
    bug("sketches-forgotten", RESTARTS, &["sketches_differ"]),
    bug("rows-not-owed", AWAY, WINDOWS),
    bug("rule-state-forgotten", RESTARTS, ALERTS),
    bug("timers-forgotten", RESTARTS, ALERTS),
    bug("sightings-forgotten", RESTARTS, ALERTS),
    bug("order-forgotten", RESTARTS, ALERTS),
    bug("fence-left-out", &[Fault::Quiet(2_000)], &["alerts_unfenced"]),
    bug("zombie-goes-on", &[Fault::ZombieStream], &["zombies_left"]),
];

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Bugs that were awake, each in a run of its own.
    pub seeded: Vec<String>,
    /// What showed them.
    pub caught: Vec<(String, Vec<String>)>,
    /// Those nothing showed.
    pub missed: Vec<String>,
}

impl Outcome {
    /// As one object.
    pub fn json(&self) -> Value {
        let by: serde_json::Map<String, Value> =
            self.caught.iter().map(|(name, figures)| (name.clone(), json!(figures))).collect();
        json!({ "seeded": self.seeded.len(), "caught": self.caught.len(), "missed": self.missed, "caught_by": by })
    }
}

/// The same faults with no bug awake: what is caught afterwards is caught for the bug's sake.
const NO_BUG: Bug =
    bug("no-bug", &[Fault::Stream, Fault::Archive, Fault::ClickHouseAndStream, Fault::ZombieStream], &[]);

/// Runs with no bug awake, then with each in turn, or with one alone.
pub fn run(ground: &mut Ground, program: &Path, only: Option<&str>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let without = super::run(ground, &plan(&NO_BUG, program)).context("without a bug")?;
    let found = without.not_zero();
    ensure!(found.is_empty(), "without any bug {found:?} are not 0: {:#}", without.json());
    for bug in BUGS.iter().filter(|bug| only.is_none_or(|only| only == bug.name)) {
        let report = super::run(ground, &plan(bug, program)).with_context(|| format!("the bug {}", bug.name))?;
        judge(bug, &report, &mut outcome);
    }
    Ok(outcome)
}

fn plan(bug: &Bug, program: &Path) -> Plan {
    // Topics and databases have no hyphens.
    let name = bug.name.replace('-', "_");
    Plan {
        counts: Counts { cut_before: 2, cut_after: 4, ..Counts::default() },
        first: bug.faults.to_vec(),
        extreme_of_10000: 600,
        cut_every: Duration::from_millis(1_500),
        change_every: Duration::from_secs(3),
        patience_s: 10,
        bug: Some(bug.name.to_owned()),
        schema: schema(bug.name),
        ..Plan::named(&name, program)
    }
}

const TABLE: &str = include_str!("../../../infra/schema/clickhouse/0001_observations.sql");

/// Bugs of the schema: what is said before the tables are made, and after.
fn schema(bug: &str) -> (Option<String>, Vec<String>) {
    match bug {
        "order-key-without-identity" => {
            let table = TABLE.split("CREATE VIEW").next().unwrap_or_default().trim_end();
            let table = table.trim_end_matches(';').replace("time, topic_id, partition, offset)", "time)");
            (Some(table), Vec::new())
        }
        "view-without-final" => {
            // What merges would put away in the meantime is still to be seen.
            let after = [
                "CREATE OR REPLACE VIEW observations AS SELECT * FROM observations_rows",
                "SYSTEM STOP MERGES observations_rows",
            ];
            (None, after.map(str::to_owned).to_vec())
        }
        _ => (None, Vec::new()),
    }
}

fn judge(bug: &Bug, report: &Report, outcome: &mut Outcome) {
    outcome.seeded.push(bug.name.to_owned());
    let shown: Vec<String> =
        report.not_zero().into_iter().filter(|figure| bug.shows_in.contains(&figure.as_str())).collect();
    eprintln!("{}: {shown:?} of {:?}", bug.name, report.not_zero());
    if shown.is_empty() {
        outcome.missed.push(bug.name.to_owned());
    } else {
        outcome.caught.push((bug.name.to_owned(), shown));
    }
}
