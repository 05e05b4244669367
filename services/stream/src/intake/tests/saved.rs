//! `CKP-5`: what is read before a cut and after a restart from it says the same as what is read in one go, whatever is read
//! while the copies are made.

use super::{
    replay::{Logs, logs},
    *,
};
use crate::{
    checkpoint::{EntityForm, PartForm, Section, State, read},
    restored::{Restored, names},
};
use proptest::prelude::*;

/// Reads the lines from a place on.
fn go_on(desk: &mut Desk, logs: &Logs, lines: std::ops::Range<usize>) {
    for line in logs.lines.get(lines).unwrap_or_default() {
        desk.take(line.part, line.appended, &line.text);
    }
}

fn newest(logs: &Logs) -> Arc<Timeline> {
    Arc::clone(logs.timelines().last().expect("one at least"))
}

/// Makes a copy of this moment, reading some more lines while it is made.
pub(super) fn copy(desk: &mut Desk, meanwhile: std::ops::Range<usize>, read_line: impl Fn(&mut Desk, usize)) -> State {
    let mut copies = Vec::new();
    desk.intake.begin_copy(u32::MAX, &mut copies);
    for line in meanwhile {
        read_line(desk, line);
        desk.intake.copy_on(|| false, &mut copies);
    }
    while !desk.intake.copy_on(|| true, &mut copies) {}
    let mut state = State { names: names(&desk.shared), ..State::default() };
    for (section, body) in copies {
        let body = body.expect("the first copy");
        match section {
            Section::Part(part) => {
                let form: PartForm = read("partition", &body).expect("read");
                state.parts.insert(part, (form, Vec::new()));
            }
            Section::Entities(part, _) => {
                let page: Vec<EntityForm> = read("entities", &body).expect("read");
                state.parts.get_mut(&part).expect("its partition came first").1.push(page);
            }
            Section::Ordered(part) => {
                state.ordered.insert(part, read("order", &body).expect("read"));
            }
            other => panic!("{other:?} is not of a source"),
        }
    }
    state
}

pub(super) fn restart(state: State, timeline: Arc<Timeline>) -> Desk {
    let mut desk = Desk::with(Arc::clone(&timeline));
    desk.shared.lore = Lore::restored(&state.names, 1, jiff::tz::TimeZone::UTC, None);
    desk.intake = Intake::new(&desk.shared, &[0, 1, 2], 1_000);
    desk.intake.set_timeline(timeline);
    let restored = Restored::new(state, &desk.shared.world);
    desk.offsets = (0..3).filter_map(|part| Some((part, restored.stand(part)?.0))).collect();
    restored.fill(&desk.shared, &[0, 1, 2], &mut desk.intake);
    desk
}

fn alerts(desk: &Desk) -> Vec<String> {
    desk.out.alerts.iter().map(|alert| serde_json::to_string(alert).expect("json")).collect()
}

proptest! {
    #[test]
    fn a_restart_changes_nothing_that_is_said(logs in logs(), cut in 0usize..120, meanwhile in 0usize..20) {
        let end = logs.lines.len();
        let cut = cut.min(end);
        let mut whole = Desk::with(newest(&logs));
        go_on(&mut whole, &logs, 0..end);

        let mut first = Desk::with(newest(&logs));
        go_on(&mut first, &logs, 0..cut);
        let (mut said, mut totals) = (alerts(&first), first.totals());
        let meanwhile = cut..(cut + meanwhile).min(end);
        let state = copy(&mut first, meanwhile, |desk, line| go_on(desk, &logs, line..line + 1));
        let mut second = restart(state, newest(&logs));
        go_on(&mut second, &logs, cut..end);
        said.extend(alerts(&second));
        for (key, (count, sum)) in second.totals() {
            let total = totals.entry(key).or_default();
            *total = (total.0 + count, total.1 + sum);
        }
        prop_assert_eq!(said, alerts(&whole));
        prop_assert_eq!(totals, whole.totals());
    }
}

#[test]
fn the_latest_state_that_was_under_way_is_written_again() {
    let mut desk = Desk::new();
    let mut rows = Vec::new();
    desk.observe(100_000, "old", Some(0.5), 1.0);
    desk.intake.drain_entities(10, 1, &mut rows);
    desk.observe(100_000, "under way", Some(0.5), 1.0);
    desk.intake.drain_entities(10, 2, &mut rows);
    desk.observe(100_000, "new", Some(0.5), 1.0);
    let mut copies = Vec::new();
    // The first chunk is in ClickHouse, the second may be.
    desk.intake.begin_copy(1, &mut copies);
    while !desk.intake.copy_on(|| true, &mut copies) {}
    let page = copies.into_iter().find(|(section, _)| *section == Section::Entities(0, 0)).expect("a page");
    let entities: Vec<EntityForm> = read("entities", &page.1.expect("a copy")).expect("read");
    let owed: Vec<bool> = entities.iter().map(|entity| entity.owed).collect();
    assert_eq!(owed, [false, true, true]);
}

#[test]
fn a_report_that_comes_again_after_a_restart_is_a_repeat() {
    let mut desk = Desk::new();
    desk.take(2, 100_000, &report("r", ""));
    let state = copy(&mut desk, 0..0, |_, _| ());
    let mut again = restart(state, timeline(0));
    again.take(2, 100_001, &report("r", ""));
    again.take(2, 100_002, &report("s", ""));
    assert_eq!((again.count("duplicate"), again.count("accepted")), (1, 1));
}

/// A fence that came into force before the cut, and an entity that was not looked at since.
#[test]
fn the_first_look_at_a_new_fence_is_the_first_after_a_restart_too() {
    const IN: &str = r#"{"id":"in","version":1,"title":{"en":"x"},"severity":"minor",
        "fence":{"shape":{"area":{"layer":"grid","code":"b"}},"on":"enter"}}"#;
    // One that was always there, so that the entity was looked at before the other came.
    const OLD: &str = r#"{"id":"old","version":1,"title":{"en":"x"},"severity":"minor",
        "fence":{"shape":{"area":{"layer":"grid","code":"b"}},"on":"exit"}}"#;
    let in_force = || timeline_of(&[GRID], &[("old", Some(OLD), 0), ("in", Some(IN), 150_000)]);
    let raised = |desk: &Desk| desk.out.alerts.iter().filter(|alert| alert.rule == "in").count();
    let mut desk = Desk::with(in_force());
    desk.observe(100_000, "s", Some(1.5), 1.0);
    desk.observe(150_000, "other", Some(0.5), 1.0);
    let state = copy(&mut desk, 0..0, |_, _| ());
    let mut again = restart(state, in_force());
    for desk in [&mut desk, &mut again] {
        desk.observe(160_000, "s", Some(1.5), 1.0);
        assert_eq!(raised(desk), 0, "it was inside when the fence came");
        desk.observe(170_000, "s", Some(0.5), 1.0);
        desk.observe(180_000, "s", Some(1.5), 1.0);
        assert_eq!(raised(desk), 1, "now it comes in");
    }
}
