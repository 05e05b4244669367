//! The short form of `make chaos`: everything is killed, stopped, cut off and told to end a few times, and nothing is lost or said twice.

use gridwarden_tests::binary;
use gridwarden_tests::chaos::{Counts, Ground, Plan, run};
use std::time::Duration;

#[test]
fn whatever_is_killed_stopped_or_cut_off_nothing_is_lost_counted_twice_or_said_twice() {
    let counts = Counts {
        stream: 16,
        archive: 6,
        clickhouse: 5,
        kafka: 3,
        zombie: 6,
        cut_before: 15,
        cut_after: 15,
        sigterm: 8,
    };
    let plan =
        Plan { counts, cut_every: Duration::from_secs(4), ..Plan::named("chaos_short", &binary::path("gridwarden")) };
    let mut ground = Ground::start("chaos_short_ground").expect("broker and engine");
    let report = run(&mut ground, &plan).expect("everything comes back");
    let found = report.json();
    assert_eq!(report.not_zero(), Vec::<String>::new(), "{found:#}");
    assert_eq!(report.kills, counts, "everything that was planned happened");
    // And there was something to lose.
    for (what, least) in [
        ("sent", 20_000),
        ("duplicate", 100),
        ("late", 50),
        ("rejected", 100),
        ("too_late_for_windows", 100),
        ("reports", 5_000),
        ("windows", 500),
        ("sketches", 100),
        ("alerts", 500),
        ("control_changes", 30),
    ] {
        assert!(found[what].as_u64() >= Some(least), "{what}: {found:#}");
    }
    eprintln!("{found}");
}
