//! Mappings as integrators write them, and what is said about wrong ones.
#![allow(clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::decode::Decoder;

const SENSOR: &str = r#"
target = "observations"
format = "json"
zone = "Asia/Shanghai"

[fields]
source = { template = "lamp-{dev.id}" }
kind = { const = "air" }
time = { from = "ts", time = "%Y-%m-%d %H:%M:%S" }
id = { from = ["msgId", "seq"] }
position.lon = "dev.pos[0]"
position.lat = "dev.pos[1]"
values.pm25 = { from = "d.PM2_5", multiply = 1000 }
values.temperature = { from = "d.tempF", unit = "F to C" }
values.battery = { from = "d.batt", default = 100 }
attributes.status = { from = "d.st", table = { "0" = "ok", "1" = "fault" } }
"#;

fn sensor(json: &str) -> Result<Observation, Reason> {
    match Mapping::parse(SENSOR, "sensor.toml").expect("mapping").map_json(json.as_bytes())? {
        Mapped::Observation(observation) => Ok(observation),
        Mapped::Report(_) => panic!("a report"),
    }
}

#[test]
fn json_becomes_an_observation() {
    let read = sensor(
        r#"{"ts":"2026-11-23 18:00:00","seq":9007199254740993,"dev":{"id":7,"pos":["121.5",31.25]},"d":{"PM2_5":0.035,"tempF":212,"st":0}}"#,
    )
    .expect("mapped");
    assert_eq!((read.source.as_str(), read.kind.as_str()), ("lamp-7", "air"));
    assert_eq!(read.id.as_deref(), Some("9007199254740993"), "digits are kept");
    assert_eq!(Some(read.time), crate::time::rfc3339("2026-11-23T10:00:00Z"));
    assert_eq!(read.position.map(|at| (at.lon, at.lat)), Some((121.5, 31.25)));
    assert_eq!(read.values.keys().collect::<Vec<_>>(), ["battery", "pm25", "temperature"]);
    assert!((read.values["pm25"] - 35.0).abs() < 1e-9 && (read.values["temperature"] - 100.0).abs() < 1e-9);
    assert_eq!(read.attributes["status"], "ok");
}

#[test]
fn reasons_name_both_fields() {
    let with = |more: &str| format!(r#"{{"ts":"2026-11-23 18:00:00","dev":{{"id":7}},{more}}}"#);
    let reason = |json: &str| sensor(json).expect_err("rejected");
    let said = |json: &str| {
        let reason = reason(json);
        (reason.code, reason.field, reason.detail)
    };
    let expect = |code, field: &str, detail: &str| (code, field.to_owned(), detail.to_owned());
    assert_eq!(
        said(r#"{"ts":"x","dev":{"id":7}}"#),
        expect(Code::InvalidTime, "time", "from `ts`: `x` is not written as `%Y-%m-%d %H:%M:%S`")
    );
    assert_eq!(
        said(r#"{"ts":"2026-11-23 18:00:00"}"#),
        expect(Code::MissingField, "source", "from `dev.id`: is required")
    );
    assert_eq!(
        said(&with(r#""d":{"PM2_5":"much"}"#)),
        expect(Code::WrongType, "values.pm25", "from `d.PM2_5`: `much` is not a number")
    );
    assert_eq!(said(&with(r#""d":{"PM2_5":[1]}"#)).2, "from `d.PM2_5`: is a list, not a plain value");
    assert_eq!(
        said(&with(r#""d":{"st":"7"}"#)),
        expect(Code::InvalidValue, "attributes.status", "from `d.st`: `7` is not in the mapping's table")
    );
    let half = r#"{"ts":"2026-11-23 18:00:00","dev":{"id":7,"pos":[121.5,""]}}"#;
    assert_eq!(said(half), expect(Code::MissingField, "position.lat", "from `dev.pos[1]`: is required"));
    let far = r#"{"ts":"2026-11-23 18:00:00","dev":{"id":7,"pos":[121.5,95]}}"#;
    assert_eq!(said(far), expect(Code::InvalidPosition, "position.lat", "from `dev.pos[1]`: 95 lies outside ±90"));
    assert_eq!(
        said(r#"{"ts":"2026-11-23 18:00:00","dev":"lamp 7"}"#),
        expect(Code::WrongType, "source", "from `dev.id`: `id` is looked for in a text")
    );
    assert_eq!(
        said(r#"{"ts":"2026-11-23 18:00:00","dev":{"id":7,"id":8}}"#),
        expect(Code::WrongType, "source", "from `dev.id`: `id` stands twice")
    );
    assert_eq!(
        said(&with(r#""d":{"PM2_5":1e400}"#)),
        expect(Code::WrongType, "values.pm25", "from `d.PM2_5`: `1e400` is not a number")
    );
    assert_eq!(
        said(&with(r#""d":{"PM2_5":1e11}"#)),
        expect(Code::InvalidValue, "values.pm25", "from `d.PM2_5`: 100000000000000 is beyond ±1000000000000")
    );
    assert_eq!(reason("[1]").code, Code::WrongType);
    assert_eq!(reason("{").code, Code::Malformed);
}

const ROWS: &str = r#"
target = "reports"
format = "csv"
columns = ["nr", "when", "what", "lon", "lat"]
[fields]
id = "nr"
channel = { const = "hotline" }
class = { catalogue = { const = "c-1" }, kind = { const = "event" }, code = "what" }
time = { from = "when", time = "epoch_s" }
position = { lon = "lon", lat = "lat" }
"#;

#[test]
fn a_mapped_topic_of_rows_becomes_reports() {
    let decoder = Decoder::mapped(Mapping::parse(ROWS, "rows.toml").expect("mapping"));
    let read = decoder.report(b"17,1577865900,\"noise, loud\",,\n").expect("mapped");
    assert_eq!((read.id.as_str(), read.time, read.class.code.as_str()), ("17", 1_577_865_900_000, "noise, loud"));
    assert_eq!(read.position, None);
    let detail = |payload: &[u8]| decoder.report(payload).expect_err("rejected").detail;
    assert_eq!(detail(b"17,1577865900,x"), "has 3 cells; the mapping names 5 columns");
    assert_eq!(detail(b"1,1,x,,\n2,1,x,,"), "holds more than one row");
    assert_eq!(detail(b"1,1,x,200,1"), "from `lon`: 200 lies outside ±180");
    assert_eq!(decoder.report(b"1,1,\xff,1,1").expect_err("rejected").code, Code::NotUtf8);
    assert_eq!(
        decoder.observation(b"1,1,x,1,1").expect_err("rejected").detail,
        "this topic holds reports, not observations"
    );
    let semicolons = ROWS.replace("format = \"csv\"", "format = \"csv\"\ndelimiter = \";\"");
    let decoder = Decoder::mapped(Mapping::parse(&semicolons, "rows.toml").expect("mapping"));
    assert_eq!(decoder.report(b"17;1;noise, loud;;").expect("mapped").class.code, "noise, loud");
}

/// The engine is one: a file played by `replay` and the same messages in a topic become the same, or fail the same.
#[test]
fn files_and_topics_are_read_alike() {
    let mapping = Mapping::parse(SENSOR, "sensor.toml").expect("mapping");
    let decoder = Decoder::mapped(mapping.clone());
    for message in [
        r#"{"ts":"2026-11-23 18:00:00","seq":1,"dev":{"id":7,"pos":["121.5",31.25]},"d":{"PM2_5":0.035,"tempF":212,"st":0}}"#,
        r#"{"ts":"2026-11-23 18:00:00","dev":{"id":7},"d":{"PM2_5":[]}}"#,
        r#"{"ts":"yesterday","dev":{"id":7}}"#,
        r#"{"ts":"2026-11-23 18:00:00","dev":{"id":7,"pos":[1,91]}}"#,
        "{",
        "",
    ] {
        let file = mapping.map_json(message.as_bytes()).map(|mapped| {
            let written = match mapped {
                Mapped::Observation(observation) => serde_json::to_vec(&observation),
                Mapped::Report(report) => serde_json::to_vec(&report),
            };
            written.expect("JSON")
        });
        let again = Decoder::observations();
        let replayed = match &file {
            Ok(sent) => again.observation(sent),
            Err(reason) => Err(reason.clone()),
        };
        assert_eq!(replayed, decoder.observation(message.as_bytes()), "{message}");
    }
}

#[test]
fn a_camera_names_its_target() {
    let video = ROWS.replace("[\"nr\", \"when\", \"what\",", "[\"nr\", \"when\", \"what\", \"x\", \"y\", \"sure\",")
        + "video = { camera = { const = \"cam-1\" }, confidence = \"sure\", algorithm = { const = \"a1\" }, target = { lon = \"x\", lat = \"y\" } }\n";
    let decoder = Decoder::mapped(Mapping::parse(&video, "rows.toml").expect("mapping"));
    let report = decoder.report(b"1,1,smoke,121.5,31.5,0.9,,").expect("mapped");
    let target = report.video.and_then(|video| video.target).map(|at| (at.lon, at.lat));
    assert_eq!(target, Some((121.5, 31.5)));
    let half = decoder.report(b"1,1,smoke,121.5,,0.9,,").expect_err("rejected");
    assert_eq!((half.field.as_str(), half.detail.as_str()), ("video.target.lat", "from `y`: is required"));
    let far = decoder.report(b"1,1,smoke,121.5,95,0.9,,").expect_err("rejected");
    assert_eq!((far.field.as_str(), far.detail.as_str()), ("video.target.lat", "from `y`: 95 lies outside ±90"));
}

/// Once, whoever reads it and whatever its feed is used to.
#[test]
fn positions_in_other_systems_are_converted_once() {
    let gcj = Mapping::parse(&SENSOR.replace("zone =", "crs = \"GCJ-02\"\nzone ="), "sensor.toml").expect("mapping");
    let message = br#"{"ts":"2026-11-23 18:00:00","dev":{"id":7,"pos":[121.5,31.5]}}"#;
    let place = |crs: Crs| {
        let [lon, lat] = crs.to_wgs84([121.5, 31.5]);
        Some((lon, lat))
    };
    let of = |read: crate::observation::ObservationRef<'_>| read.position.map(|at| (at.lon, at.lat));
    let mapped = Decoder::mapped(gcj.clone()).observation_in(message, Crs::Wgs84).expect("mapped");
    assert_eq!(of(mapped), place(Crs::Gcj02));
    let Ok(Mapped::Observation(sent)) = gcj.map_json(message) else { panic!("no observation") };
    let sent = serde_json::to_vec(&sent).expect("JSON");
    for feed in [Crs::Wgs84, Crs::Bd09] {
        assert_eq!(of(Decoder::observations().observation_in(&sent, feed).expect("read")), place(Crs::Gcj02));
    }
    let plain = Decoder::mapped(Mapping::parse(SENSOR, "sensor.toml").expect("mapping"));
    assert_eq!(of(plain.observation_in(message, Crs::Bd09).expect("mapped")), place(Crs::Bd09));
}

#[test]
fn a_report_that_was_converted_says_so() {
    let rows = ROWS.replace("target =", "crs = \"GCJ-02\"\ntarget =");
    let mapping = Mapping::parse(&rows, "rows.toml").expect("mapping");
    let header = mapping.columns.clone();
    let cells = csv::StringRecord::from(vec!["1", "1", "smoke", "121.5", "31.5"]);
    let Ok(Mapped::Report(sent)) = mapping.map_csv(&CsvRow { header: &header, cells: &cells }) else {
        panic!("no report")
    };
    let sent = serde_json::to_vec(&sent).expect("JSON");
    let read = Decoder::reports().report_in(&sent, Crs::Gcj02).expect("read");
    assert_eq!(read.position.map(|at| [at.lon, at.lat]), Some(Crs::Gcj02.to_wgs84([121.5, 31.5])));
}

#[test]
fn faults_of_a_document_name_their_place() {
    let fault = |from: &str, to: &str| {
        assert!(SENSOR.contains(from));
        let error = Mapping::parse(&SENSOR.replace(from, to), "m.toml").expect_err("faulty");
        assert_eq!(error.name, "m.toml");
        format!("{}: {}", error.place, error.detail)
    };
    assert_eq!(fault("kind = {", "colour = {"), "fields.colour: observations have no field `colour`");
    assert_eq!(fault("kind = { const = \"air\" }", ""), "fields: `kind` is required");
    assert_eq!(fault("Asia/Shanghai", "Asia/Nowhere"), "fields.time.zone: unknown time zone `Asia/Nowhere`");
    assert_eq!(
        fault("zone = \"Asia/Shanghai\"", ""),
        "fields.time.zone: `%Y-%m-%d %H:%M:%S` is local time: say in which zone"
    );
    assert_eq!(fault("F to C", "F to m"), "fields.values.temperature.unit: F is a temperature, m a length");
    assert_eq!(fault("dev.pos[0]", "dev.pos["), "fields.position.lon.from: `dev.pos[`: `]` is missing");
    assert_eq!(fault("position.lat = \"dev.pos[1]\"", ""), "fields.position: `lon` and `lat` go together");
    assert_eq!(fault("default = 100", "default = \"full\""), "fields.values.battery: `full` is not a number");
    assert_eq!(
        fault("kind = { const = \"air\" }", "kind = { const = \"air\", from = \"k\" }"),
        "fields.kind: needs exactly one of `from`, `const` and `template`"
    );
    assert_eq!(
        fault("kind = { const = \"air\" }", "kind = { const = \"air\", unit = \"F to C\" }"),
        "fields.kind: `multiply`, `add` and `unit` only fit numbers"
    );
    assert_eq!(
        fault("zone =", "zones ="),
        "line 4: unknown field `zones`, expected one of `target`, `format`, `file`, `columns`, `delimiter`, `zone`, `clock_change`, `crs`, `fields`"
    );
    assert_eq!(
        fault("const = \"air\"", "const = \"Air Station\""),
        "fields.kind: `Air Station` holds more than a-z, 0-9, `_` and `-`"
    );
    assert_eq!(
        fault("values.battery", &format!("values.{}", "b".repeat(65))),
        format!("fields.values.{}: its name is 65 bytes long; at most 64 are allowed", "b".repeat(65))
    );
    assert_eq!(fault("%Y-%m-%d %H:%M:%S", "%H:%M:%S"), "fields.time.time: `%H:%M:%S`: does not say which day it is");
    assert_eq!(fault("zone =", "columns = [\"a\"]\nzone ="), "columns: only fit format = \"csv\"");
    assert_eq!(fault("zone =", "delimiter = \";\"\nzone ="), "delimiter: only fits format = \"csv\"");
    assert!(fault("default = 100", "defaults = 100").starts_with("fields.values.battery: unknown field `defaults`"));
    let reports = ROWS.replace("\"hotline\"", "\"telegraph\"");
    let error = Mapping::parse(&reports, "m.toml").expect_err("faulty");
    assert_eq!(error.to_string(), "mapping m.toml: fields.channel: `telegraph` is not a channel");
    let error = Mapping::parse(&ROWS.replace("\"what\",", ""), "m.toml").expect_err("faulty");
    assert_eq!(error.to_string(), "mapping m.toml: fields.class.code: there is no column `what`");
    let error = Mapping::parse(&ROWS.replace("\"lat\"]", "\"lat\", \"what\"]"), "m.toml").expect_err("faulty");
    assert_eq!(error.to_string(), "mapping m.toml: fields.class.code: there is more than one column `what`");
    let bare =
        Mapping::parse(&ROWS.replace("columns =", "# columns ="), "m.toml").expect("fine for files with a header");
    let error = bare.check_for_topic().expect_err("not for a topic");
    assert!(error.to_string().starts_with("mapping m.toml: columns: are needed"), "{error}");
}
