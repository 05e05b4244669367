//! What a simulated city must do: the same again from the same seed, the rate asked for, incidents that are noticed.

use super::*;
use gridwarden_domain::observation::Position;

const NOON_MS: i64 = 1_763_899_200_000;

fn entity(id: &str, kind: &str, at: Option<Point>) -> Entity {
    Entity {
        id: id.to_owned(),
        kind: kind.to_owned(),
        name: gridwarden_domain::text::Text::default(),
        position: at.map(|[lon, lat]| Position { lon, lat, accuracy_m: None }),
        departments: None,
        attributes: BTreeMap::new(),
    }
}

fn stage() -> Stage {
    let mut entities = Vec::new();
    for i in 0..40 {
        let at = Some([104.0 + f64::from(i) * 0.001, 30.0]);
        for kind in ["air", "noise", "water", "bin"] {
            entities.push(entity(&format!("{kind}-{i}"), kind, at));
        }
        entities.push(entity(&format!("vehicle-{i}"), "vehicle", None));
        entities.push(entity(&format!("officer-{i}"), "officer", None));
    }
    let lines = (0..5).map(|i| (0..20).map(|j| [104.0 + f64::from(j) * 0.002, 30.0 + f64::from(i) * 0.002]).collect());
    let across = (0..20).map(|j| (0..5).map(|i| [104.0 + f64::from(j) * 0.002, 30.0 + f64::from(i) * 0.002]).collect());
    Stage {
        entities,
        streets: Streets::from_lines(lines.chain(across).collect::<Vec<Vec<Point>>>()),
        classes: Vec::new(),
        utc_offset_ms: 0,
    }
}

const TEMPO: Tempo = Tempo { observations_per_s: 200.0, incident_every_s: 30.0, report_every_s: 10.0 };

fn live(seed: u64, seconds: i64) -> Vec<Message> {
    let mut life = Life::new(stage(), TEMPO, seed, NOON_MS);
    let mut said = Vec::new();
    for step in 1..=seconds * 10 {
        life.until(NOON_MS + step * 100, |message| said.push(message));
    }
    said
}

fn observations(said: &[Message]) -> Vec<&Observation> {
    said.iter().filter_map(|m| if let Message::Observation(o) = m { Some(o) } else { None }).collect()
}

#[test]
fn the_same_seed_lives_the_same_life() {
    assert_eq!(live(7, 20), live(7, 20));
    assert_ne!(live(7, 20), live(8, 20));
}

#[test]
fn the_rate_is_the_one_asked_for() {
    let said = live(1, 60);
    let rate = observations(&said).len() as f64 / 60.0;
    assert!((rate - 200.0).abs() < 10.0, "{rate} a second");
}

#[test]
fn movers_move_along_and_not_by_leaps() {
    let said = live(1, 60);
    let mut last: BTreeMap<&str, (i64, Point)> = BTreeMap::new();
    let mut moved = 0;
    for observation in observations(&said) {
        let Some(position) = observation.position else { continue };
        let here = [position.lon, position.lat];
        if let Some((then, there)) = last.insert(&observation.source, (observation.time, here)) {
            let seconds = (observation.time - then) as f64 / 1000.0;
            let limit = 40.0 * seconds + 12.0;
            assert!(streets::metres(there, here) <= limit, "{} leapt", observation.source);
            moved += usize::from(streets::metres(there, here) > 1.0);
        }
    }
    assert!(moved > 100, "only {moved} moves");
}

#[test]
fn incidents_are_measured_and_reported() {
    let said = live(3, 240);
    let beyond = |kind: &str, value: &str, limit: f64| {
        observations(&said).iter().any(|o| o.kind == kind && o.values.get(value).is_some_and(|v| *v > limit))
    };
    let any = beyond("air", "pm25", 150.0) || beyond("noise", "laeq_db", 80.0) || beyond("water", "level_m", 2.5);
    assert!(any, "no incident was measured");
    let witnessed = said
        .iter()
        .filter(|m| matches!(m, Message::Report(r) if !r.description.starts_with("seen on a round")))
        .count();
    assert!(witnessed > 0, "no incident was reported");
}

#[test]
fn witnesses_report_the_class_of_what_they_saw() {
    let class = |code: &str| ClassRef { catalogue: "simulated-1".into(), kind: ClassKind::Event, code: code.into() };
    let classes = ["0102", "0106", "0110", "0301", "0401", "0505"].map(class).to_vec();
    let mut life = Life::new(Stage { classes, ..stage() }, TEMPO, 3, NOON_MS);
    let mut seen = 0;
    for step in 1..=2_400 {
        life.until(NOON_MS + step * 250, |message| {
            let Message::Report(report) = message else { return };
            let expected = match report.description.as_str() {
                "smoke and a burning smell (simulated)" => "0110",
                "very loud machines (simulated)" => "0301",
                "water on the street (simulated)" => "0401",
                "bins overflowing (simulated)" => "0106",
                _ => return,
            };
            assert_eq!(report.class.code, expected);
            seen += 1;
        });
    }
    assert!(seen > 10, "{seen} witnesses");
}

#[test]
fn every_message_says_that_it_is_simulated() {
    for message in live(1, 30) {
        let attributes = match &message {
            Message::Observation(observation) => &observation.attributes,
            Message::Report(report) => &report.attributes,
        };
        assert_eq!(attributes.get("simulated").map(String::as_str), Some("true"), "{message:?}");
    }
}

#[test]
fn without_streets_reports_come_from_where_somebody_measures() {
    let mut life = Life::new(Stage { streets: Streets::default(), ..stage() }, TEMPO, 1, NOON_MS);
    let mut reports = 0;
    for step in 1..=1_200 {
        life.until(NOON_MS + step * 100, |message| {
            let Message::Report(report) = message else { return };
            let lon = report.position.map_or(0.0, |at| at.lon);
            assert!((103.9..104.1).contains(&lon), "{report:?}");
            reports += 1;
        });
    }
    assert!(reports > 3, "{reports} reports");
}

/// A sensor's day: a quiet hour and a busy one differ as the rhythm says. Medians, because the first incident is soon.
#[test]
fn days_have_a_rhythm() {
    let median = |hour: i64, kind: &str, value: &str| {
        let begin = NOON_MS + (hour - 12) * 3_600_000;
        let quiet = Tempo { incident_every_s: 1e9, ..TEMPO };
        let mut life = Life::new(stage(), quiet, 1, begin);
        let mut values = Vec::new();
        for step in 1..=600 {
            life.until(begin + step * 100, |message| {
                if let Message::Observation(o) = message
                    && o.kind == kind
                {
                    values.extend(o.values.get(value).copied());
                }
            });
        }
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    assert!(median(8, "noise", "laeq_db") > median(3, "noise", "laeq_db") + 2.0);
    assert!(median(8, "air", "no2") > median(3, "air", "no2") + 10.0);
    assert!(median(15, "air", "temp_c") > median(4, "air", "temp_c") + 6.0);
    assert!(median(8, "vehicle", "speed_kmh") < median(3, "vehicle", "speed_kmh") * 0.9);
}

#[test]
fn a_city_that_was_held_up_does_not_shout() {
    let mut life = Life::new(stage(), TEMPO, 1, NOON_MS);
    let mut said = 0;
    life.until(NOON_MS + 3_600_000, |_| said += 1);
    assert!(said < 5_000, "{said} messages after an hour's pause");
}
