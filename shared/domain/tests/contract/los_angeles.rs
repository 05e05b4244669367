//! The Los Angeles requests through their mapping: every row becomes a report.

use gridwarden_domain::{
    class::Catalogue,
    mapping::{CsvRow, Mapped, Mapping},
    report::{Channel, Report},
    time::rfc3339,
};
use std::{collections::BTreeMap, fs, path::PathBuf};

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The pack, or nothing where it may be missing (never in CI).
fn pack() -> Option<PathBuf> {
    let packs = std::env::var_os("GRIDWARDEN_PACKS")
        .map_or_else(|| PathBuf::from(WORKSPACE).join("../shared/packs"), PathBuf::from);
    let pack = packs.join("la");
    if pack.is_dir() {
        return Some(pack);
    }
    assert!(std::env::var_os("CI").is_none(), "no Los Angeles pack at {}; set GRIDWARDEN_PACKS", pack.display());
    eprintln!("SKIPPED: no Los Angeles pack at {}; set GRIDWARDEN_PACKS to a folder that holds la/", pack.display());
    None
}

fn city(file: &str) -> String {
    fs::read_to_string(PathBuf::from(WORKSPACE).join("tests/cities/la").join(file)).expect(file)
}

fn reports() -> Option<Vec<Report>> {
    let mut rows = csv::Reader::from_path(pack()?.join("requests.csv")).expect("requests.csv");
    let mapping = Mapping::parse(&city("requests.toml"), "requests.toml").expect("mapping");
    let header = rows.headers().expect("header").clone();
    mapping.check_header(&header).expect("every column is there");
    let map = |cells: Result<csv::StringRecord, csv::Error>| {
        let cells = cells.expect("row");
        match mapping.map_csv(&CsvRow { header: &header, cells: &cells }).expect("no row is rejected") {
            Mapped::Report(report) => *report,
            Mapped::Observation(_) => panic!("an observation"),
        }
    };
    Some(rows.records().map(map).collect())
}

#[test]
fn every_request_becomes_a_report() {
    let Some(reports) = reports() else { return };
    assert_eq!(reports.len(), 10_000);
    assert_eq!(reports.iter().filter(|report| report.position.is_none()).count(), 11);
    let mut channels = BTreeMap::new();
    for report in &reports {
        *channels.entry(format!("{:?}", report.channel)).or_insert(0) += 1;
    }
    let expected = [("Citizen", 48 + 1 + 2299 + 1014), ("Hotline", 4548), ("Officer", 2), ("Patrol", 2088)];
    assert_eq!(channels, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

#[test]
fn local_times_become_utc() {
    let Some(reports) = reports() else { return };
    let times = reports.iter().map(|report| report.time);
    assert_eq!(times.clone().min(), rfc3339("2020-01-01T08:02:00Z"), "two past midnight in Los Angeles");
    assert_eq!(times.max(), rfc3339("2020-01-03T22:22:00Z"));
    let first = reports.iter().find(|report| report.id == "1-1523590121").expect("the first row");
    assert_eq!(first.channel, Channel::Hotline);
    assert_eq!(first.external_id.as_deref(), Some("1-1523590121"));
    assert_eq!(first.position.map(|at| (at.lon, at.lat)), Some((-118.499_471_6, 34.194_028_46)));
    assert_eq!(first.attributes.get("ncname").map(String::as_str), Some("LAKE BALBOA NC"));
}

#[test]
fn every_class_is_in_the_catalogue() {
    let Some(reports) = reports() else { return };
    let catalogue: Catalogue = toml::from_str(&city("classes.toml")).expect("catalogue");
    assert!(reports.iter().all(|report| catalogue.contains(&report.class)));
    let dumping = reports.iter().filter(|report| report.class.code == "illegal-dumping").count();
    assert_eq!(dumping, 901);
}
