//! Cluster rules over the requests: what the platform says of them is what code of this test alone finds in the file.

use super::{DATABASE, LIMIT};
use gridwarden_tests::{http::Client, wait};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

/// The request types rules ask for, by the code of their class.
const TYPES: [(&str, &str); 5] = [
    ("Graffiti Removal", "graffiti"),
    ("Illegal Dumping Pickup", "illegal-dumping"),
    ("Homeless Encampment", "homeless-encampment"),
    ("Single Streetlight Issue", "single-streetlight"),
    ("Multiple Streetlight Issue", "multiple-streetlights"),
];

/// The first moment of 2020 in Los Angeles, in seconds since 1970.
const NEW_YEAR: i64 = 1_577_865_600;

/// What a rule says: transition, moment in seconds, how many requests; sorted.
type Sayings = Vec<(String, i64, i64)>;

/// A cluster rule of the city folder.
struct Asked {
    id: String,
    at_least: usize,
    within_m: f64,
    within_s: i64,
    classes: BTreeSet<String>,
}

/// A request that has a position.
struct Request {
    time: i64,
    position: [f64; 2],
    class: &'static str,
}

/// Requests that are one alert.
struct Group {
    raised: i64,
    founders: i64,
    last: i64,
    members: i64,
}

pub(super) async fn clusters_hold(store: &Client, city: &Path, requests: &Path) {
    let rules = asked(city);
    let requests = in_order(store, requests).await;
    let mut expected: BTreeMap<String, Sayings> = BTreeMap::new();
    for rule in &rules {
        let groups = groups(rule, &requests);
        assert!(!groups.is_empty(), "{} finds nothing", rule.id);
        expected.insert(rule.id.clone(), sayings(rule, &groups));
    }
    // Of requests of one minute it may matter which comes first; for these two rules it does not.
    let raised = |rule: &str| expected[rule].len() / 2;
    assert_eq!((raised("la-encampment"), raised("la-dark-street")), (25, 5));

    let query =
        "SELECT rule, transition, toInt64(toUnixTimestamp(time)) AS moment, toInt64(value) AS requests FROM alerts";
    wait::until_async("what every cluster rule says", LIMIT, || async {
        let rows = store.sql(DATABASE, query).await?;
        let mut held: BTreeMap<String, Sayings> = BTreeMap::new();
        for row in &rows {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let number = |name: &str| row[name].as_i64().unwrap_or_default();
            held.entry(text("rule")).or_default().push((text("transition"), number("moment"), number("requests")));
        }
        held.values_mut().for_each(|said| said.sort());
        if held == expected { Ok(()) } else { Err(format!("{held:?}, not {expected:?}")) }
    })
    .await;
}

/// The rules of a city folder.
fn asked(city: &Path) -> Vec<Asked> {
    let mut rules = Vec::new();
    for entry in std::fs::read_dir(city.join("rules")).expect("rules") {
        let text = std::fs::read_to_string(entry.expect("entry").path()).expect("a rule");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let cluster = &document["cluster"];
        let number = |name: &str| cluster[name].as_f64().unwrap_or_else(|| panic!("no {name} in {document}"));
        let codes = cluster["reports"].as_array().expect("classes").iter();
        let classes: BTreeSet<String> = codes.map(|code| code.as_str().expect("a code").to_owned()).collect();
        let is_known = |class: &String| TYPES.iter().any(|(_, code)| code == class);
        assert!(classes.iter().all(is_known), "{classes:?}");
        rules.push(Asked {
            id: document["id"].as_str().expect("an id").to_owned(),
            at_least: number("at_least") as usize,
            within_m: number("within_m"),
            within_s: number("within_s") as i64,
            classes,
        });
    }
    assert_eq!(rules.len(), 4);
    rules
}

/// The requests of the file that rules may look at, in the order of event time. The file says no seconds: which of
/// one minute comes first is a matter of where it lies in Kafka, which the archive tells.
async fn in_order(store: &Client, file: &Path) -> Vec<Request> {
    let rows = store.sql(DATABASE, "SELECT id FROM reports ORDER BY time, partition, offset").await.expect("archive");
    let ids = rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned());
    let turns: BTreeMap<String, usize> = ids.enumerate().map(|(turn, id)| (id, turn)).collect();
    let mut requests: Vec<(usize, Request)> = Vec::new();
    let mut rows = csv::Reader::from_path(file).expect("requests");
    for row in rows.deserialize::<BTreeMap<String, String>>() {
        let row = row.expect("row");
        let (Ok(lat), Ok(lon)) = (row["latitude"].parse::<f64>(), row["longitude"].parse::<f64>()) else { continue };
        let Some((_, class)) = TYPES.into_iter().find(|(name, _)| row["requesttype"] == *name) else { continue };
        requests.push((
            turns[&row["srnumber"]],
            Request { time: seconds(&row["createddate"]), position: [lon, lat], class },
        ));
    }
    requests.sort_by_key(|(turn, request)| (request.time, *turn));
    requests.into_iter().map(|(_, request)| request).collect()
}

/// A local time of January 2020, in seconds since 1970.
fn seconds(written: &str) -> i64 {
    let parts = written.split(['/', ' ', ':']);
    let numbers: Vec<i64> = parts.map(|part| part.parse::<i64>().expect("a number")).collect();
    assert_eq!((numbers.len(), numbers[0], numbers[2]), (5, 1, 20), "{written}");
    NEW_YEAR + (numbers[1] - 1) * 86_400 + numbers[3] * 3_600 + numbers[4] * 60
}

/// On the sphere, in metres.
fn metres(a: [f64; 2], b: [f64; 2]) -> f64 {
    let [east, north] = [(b[0] - a[0]).to_radians() / 2.0, (b[1] - a[1]).to_radians() / 2.0];
    let along = a[1].to_radians().cos() * b[1].to_radians().cos() * east.sin().powi(2);
    2.0 * 6_371_008.8 * (north.sin().powi(2) + along).sqrt().asin()
}

/// One request after the other: it joins the oldest open group a neighbour belongs to, or raises one with its free neighbours.
fn groups(asked: &Asked, requests: &[Request]) -> Vec<Group> {
    let mut lately: VecDeque<(&Request, Option<usize>)> = VecDeque::new();
    let mut groups: Vec<Group> = Vec::new();
    for request in requests.iter().filter(|request| asked.classes.contains(request.class)) {
        while lately.front().is_some_and(|(earlier, _)| earlier.time < request.time - asked.within_s) {
            lately.pop_front();
        }
        let is_near = |at: &usize| metres(lately[*at].0.position, request.position) <= asked.within_m;
        let near: Vec<usize> = (0..lately.len()).filter(is_near).collect();
        let open = |at: &usize| lately[*at].1.filter(|group| groups[*group].last + asked.within_s >= request.time);
        let joined: Option<usize> = near.iter().filter_map(open).min();
        let free: Vec<usize> = near.iter().copied().filter(|at| open(at).is_none()).collect();
        let founders = free.len() + 1;
        let mut belongs = joined;
        if let Some(group) = joined {
            groups[group].last = request.time;
            groups[group].members += 1;
        } else if founders >= asked.at_least {
            belongs = Some(groups.len());
            for at in free {
                lately[at].1 = belongs;
            }
            let (raised, founders) = (request.time, founders as i64);
            groups.push(Group { raised, founders, last: raised, members: founders });
        }
        lately.push_back((request, belongs));
    }
    groups
}

/// Raised with those that raised it, over when none has joined for as long as neighbours may be apart.
fn sayings(asked: &Asked, groups: &[Group]) -> Sayings {
    let raised = groups.iter().map(|group| ("raised".to_owned(), group.raised, group.founders));
    let over = groups.iter().map(|group| ("cleared".to_owned(), group.last + asked.within_s, group.members));
    let mut sayings: Sayings = raised.chain(over).collect();
    sayings.sort();
    sayings
}
