//! Schemas and decoders agree: every example is spoiled in every place in many ways, and each time both say the same.
//!
//! What a schema cannot say (bytes, calendars, shapes of rings) is listed in [`beyond_a_schema`] by the decoder's words.
//! The other way round nothing is excused: what a schema refuses, no reader of hand-written input takes.

use crate::{examples::examples, malformed, reading::round, schemas};
use serde_json::{Map, Value, json};

/// Whether a decoder's refusal is of a kind that its schema does not know.
fn beyond_a_schema(name: &str, said: &str) -> bool {
    let known: &[&str] = match name {
        "observation" | "report" => {
            &["is not converted yet", "bytes long", "is not a whole number of milliseconds", "stands twice"]
        }
        "rule" => &[
            "must not lie above the level",
            "must not lie below the level",
            "must not lie above the number",
            "must not be less than the distance",
            "is not a day, as in",
            "is a holiday as well",
            "no ring has three different points",
            "the outline crosses itself",
            "the outline runs along itself",
            "an edge goes from longitude",
            "the outline goes over a pole",
        ],
        _ => &[],
    };
    known.iter().any(|words| said.contains(words))
}

/// Values to put in another's place.
fn strangers() -> Vec<Value> {
    let mut strangers =
        vec![json!(null), json!(true), json!([]), json!({}), json!([1]), json!(["x"]), json!([[]]), json!({"zz": 1})];
    strangers.extend([
        json!(0),
        json!(1),
        json!(-1),
        json!(7.25),
        json!(-1_500_000_000_000i64),
        json!(11_000_000_000_000i64),
        json!(4e38),
        json!(i64::MIN),
    ]);
    strangers.extend(["", "x", "X y", "a\nb", "\u{7f}", "\u{85}", "汉"].map(Value::from));
    strangers.extend([64, 65, 128, 129, 4096, 4097, 16_384, 16_385].map(|length| Value::from("x".repeat(length))));
    strangers.extend(
        ["2026-01-01T00:00:00Z", "2026-01-01 00:00:00.5+23:59", "2026-13-01T00:00:00Z", "1890-01-01T00:00:00Z"]
            .map(Value::from),
    );
    strangers.extend([
        json!(4_291_747_199_999i64),
        json!(4_291_747_200_000i64),
        json!(604_801),
        json!(100_001),
        json!(4_294_967_296i64),
    ]);
    strangers
}

/// Pointers of everything inside a value, itself first.
fn places(value: &Value, pointer: &str, found: &mut Vec<String>) {
    found.push(pointer.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| places(value, &format!("{pointer}/{name}"), found))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| places(item, &format!("{pointer}/{at}"), found))
        }
        _ => {}
    }
}

fn fields_of(place: &mut Value) -> &mut Map<String, Value> {
    place.as_object_mut().expect("an object")
}

/// The value spoiled in every place.
fn spoiled(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    let mut found = Vec::new();
    places(value, "", &mut found);
    let changed = |pointer: &str, change: &dyn Fn(&mut Value)| {
        let mut copy = value.clone();
        // Names in examples hold neither `~` nor `/`, but for some that are then left alone.
        copy.pointer_mut(pointer).map(change).map(|()| copy)
    };
    let filled = |fields: &mut Map<String, Value>, length: usize, value: Value| {
        let more = length.saturating_sub(fields.len());
        fields.extend((0..more).map(|at| (format!("z{at}"), value.clone())));
    };
    for pointer in &found {
        for stranger in strangers() {
            all.extend(changed(pointer, &|place| *place = stranger.clone()));
        }
        match value.pointer(pointer) {
            Some(Value::Object(fields)) => {
                for name in fields.keys() {
                    all.extend(changed(pointer, &|place| drop(fields_of(place).remove(name))));
                }
                all.extend(changed(pointer, &|place| drop(fields_of(place).insert("zz".to_owned(), json!(1)))));
                for (length, value) in [(64, json!("x")), (65, json!("x")), (64, json!(1.5)), (65, json!(1.5))] {
                    all.extend(changed(pointer, &|place| filled(fields_of(place), length, value.clone())));
                }
            }
            Some(Value::Array(items)) if !items.is_empty() => {
                for length in [items.len() - 1, items.len() + 1, 32, 33] {
                    all.extend(changed(pointer, &|place| {
                        if let Value::Array(place) = place {
                            place.resize(length, items[0].clone());
                        }
                    }));
                }
            }
            _ => {}
        }
    }
    all
}

fn both_say_the_same(name: &str) {
    let validator = schemas::validator(name);
    let (mut taken, mut refused) = (0, 0);
    for (file, example) in examples(name) {
        for value in spoiled(&example) {
            let valid = validator.is_valid(&value);
            match round(name, &value) {
                Ok(_) if valid => taken += 1,
                Ok(_) => panic!(
                    "{name}/{file}: read, against its schema: {:?}\n{value}",
                    schemas::faults(&validator, &value)
                ),
                Err(said) if valid => {
                    assert!(beyond_a_schema(name, &said), "{name}/{file}: valid, but {said}\n{value}")
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(taken > 50 && refused > 500, "{name}: {taken} taken, {refused} refused");
}

#[test]
fn on_observations() {
    both_say_the_same("observation");
}

#[test]
fn on_reports() {
    both_say_the_same("report");
}

#[test]
fn on_entities() {
    both_say_the_same("entity");
}

#[test]
fn on_rules() {
    both_say_the_same("rule");
}

/// Documents are read by way of TOML; what a schema of theirs allows, the reader of their type takes.
#[test]
fn on_documents_readers_take_what_is_valid() {
    for name in ["city", "classes"] {
        readers_take_what_is_valid(name);
    }
}

/// Paths, units, patterns of time and texts that do not fit their field are beyond the schema of mappings; but nothing that
/// works is against it.
#[test]
fn on_mappings_the_schema_takes_what_works() {
    let validator = schemas::validator("mapping");
    let mut works = 0;
    for (file, example) in examples("mapping") {
        // TOML has no null.
        for value in spoiled(&example).iter().filter(|value| !value.to_string().contains("null")) {
            if round("mapping", value).is_ok() {
                works += 1;
                assert_eq!(schemas::faults(&validator, value), [""; 0], "{file} works as\n{value}");
            }
        }
    }
    assert!(works > 100, "only {works} work");
}

/// Of what only Gridwarden itself writes, readers take more than the schema says, never less.
#[test]
fn on_what_only_services_write_readers_take_what_is_valid() {
    for name in ["layer", "alert", "delivery", "reject", "webhook"] {
        readers_take_what_is_valid(name);
    }
}

fn readers_take_what_is_valid(name: &str) {
    let validator = schemas::validator(name);
    let mut valid = 0;
    for (file, example) in examples(name) {
        for value in spoiled(&example).iter().filter(|value| validator.is_valid(value)) {
            valid += 1;
            round(name, value).unwrap_or_else(|said| panic!("{name}/{file}: valid, but {said}\n{value}"));
        }
    }
    assert!(valid > 50, "{name}: only {valid} valid");
}

#[test]
fn on_malformed_messages() {
    let (observation, report) = (schemas::validator("observation"), schemas::validator("report"));
    for case in malformed::cases() {
        let validator = if case.target == "report" { &report } else { &observation };
        let parsed: Option<Value> = serde_json::from_slice(&case.bytes()).ok();
        let refused = parsed.is_some_and(|value| !validator.is_valid(&value));
        assert_eq!(refused, case.schema, "{} ({})", case.name, case.target);
    }
}
