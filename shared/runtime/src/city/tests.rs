//! City folders that are read, and the file, line and field of what is wrong with others.

use super::*;
use gridwarden_domain::city::OWN_TOPICS;
use std::fs;

const HEAD: &str = r#"
name = { en = "Testville" }
timezone = "Asia/Shanghai"
registry = ["registry.csv"]
rules = "rules"
[[layers]]
id = "grid"
file = "grid.geojson"
levels = [{ id = "district" }, { id = "cell" }]
"#;

const GRID: &str = r#"{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"code":"1","parent":"d"},
"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1],[0,0]]]}}]}"#;

const RULE: &str = r#"{"id":"hot","version":1,"title":{"en":"Hot"},"severity":"minor","select":{"areas":[{"layer":"grid","code":"d"}]},
"threshold":{"value":"t","side":"above","level":40}}"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(&folder, "city.toml", HEAD);
    put(&folder, "grid.geojson", GRID);
    put(
        &folder,
        "registry.csv",
        "id,kind,name,lon,lat,owning,model\ns-1,air,Pole 1,0.5,0.5,City,X1\nv-1,vehicle,,,,,\n",
    );
    put(&folder, "rules/hot.json", RULE);
    folder
}

fn put(folder: &tempfile::TempDir, name: &str, text: &str) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn a_whole_folder_is_read() {
    let folder = folder();
    let city = City::load(folder.path()).unwrap();
    assert!(city.warnings.is_empty(), "{:?}", city.warnings);
    assert!(city.layers[0].0.main);
    assert_eq!(city.layers[0].1.len(), 2);
    assert_eq!(city.rules.len(), 1);
    let sensor = &city.registry[0];
    assert_eq!(sensor.position.unwrap().lon, 0.5);
    assert_eq!(sensor.departments.as_ref().unwrap().owning, "City");
    assert_eq!(sensor.attributes["model"], "X1");
    assert_eq!(city.registry[1].position, None);
}

#[test]
fn a_topic_is_read_in_one_way() {
    let folder = folder();
    let mapping = |topic: &str| format!("[[mappings]]\nfile = \"mappings/m.toml\"\ntopic = \"{topic}\"\n");
    let all = OWN_TOPICS.map(mapping).concat() + &mapping("own.v1").repeat(2);
    put(&folder, "city.toml", &format!("{HEAD}\n{all}"));
    let own = OWN_TOPICS
        .map(|topic| format!("city.toml: mappings: topic {topic} holds the contract's messages and takes no mapping"));
    let expected: Vec<String> =
        own.into_iter().chain(["city.toml: mappings: topic own.v1 has more than one mapping".to_owned()]).collect();
    // Before any broker is asked, by whoever reads the folder, or those topics alone.
    assert_eq!(MappedCity::load(folder.path()).unwrap_err().problems, expected);
    let told = City::load(folder.path()).unwrap_err().problems;
    assert!(expected.iter().all(|problem| told.contains(problem)), "{told:?}");
}

#[test]
fn sketches_ask_for_what_can_be_told_of_their_metric() {
    let folder = folder();
    let sketch = |metric: &str, rest: &str| format!("[[sketches]]\nmetric = \"{metric}\"\n{rest}\n");
    let good = [sketch("air.t", "quantiles = true"), sketch("air", "distinct = \"source\"")];
    put(&folder, "city.toml", &format!("{HEAD}\n{}", good.concat()));
    assert_eq!(City::load(folder.path()).unwrap().file.sketches.len(), 2);
    let bad = [
        sketch("air", "quantiles = true"),
        sketch("air.t", ""),
        sketch("reports.07", "quantiles = true"),
        sketch("air.", "distinct = \"source\""),
        sketch("air.t", "distinct = \"source\""),
    ];
    put(&folder, "city.toml", &format!("{HEAD}\n{}", bad.concat()));
    assert_eq!(
        City::load(folder.path()).unwrap_err().problems,
        [
            "city.toml: sketches: \"air\" counts events and has no values to take quantiles of",
            "city.toml: sketches: \"air.t\" asks for nothing: quantiles = true, distinct = \"source\", or both",
            "city.toml: sketches: \"reports.07\" is of reports; sketches are of observations",
            "city.toml: sketches: \"air.\" must be a kind of observation, or <kind>.<value>",
            "city.toml: sketches: \"air.t\" is there twice",
        ]
    );
}

#[test]
fn every_problem_is_told_with_its_place() {
    let folder = folder();
    put(&folder, "registry.csv", "id,kind,lon,lat\ns-1,air,0.5,here\ns-2,Air,1,1\ns-3,air,1,1\ns-3,air,1,1\n");
    put(&folder, "rules/bad.json", r#"{"id":"bad"}"#);
    put(&folder, "rules/twice.json", RULE);
    put(&folder, "grid.geojson", "{}");
    let error = City::load(folder.path()).unwrap_err();
    let expected = [
        "grid.geojson: is not a GeoJSON",
        "registry.csv: line 2: lat: \"here\" is not a number",
        "registry.csv: line 3: kind: must be",
        "registry.csv: line 5: id: s-3 is also the id of registry.csv: line 4",
        "rules/bad.json: line 1: version: is missing",
        "rules/twice.json: id: hot is also the id of rules/hot.json",
    ];
    for part in expected {
        assert!(error.problems.iter().any(|problem| problem.starts_with(part)), "{part} in {error}");
    }
    assert_eq!(error.problems.len(), expected.len(), "{error}");
}

#[test]
fn a_wrong_head_is_one_sentence() {
    let folder = folder();
    let check = |text: &str, expected: &str| {
        put(&folder, "city.toml", text);
        let error = City::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{error}");
    };
    check("nme = 1", "city.toml: line 1: unknown field `nme`");
    check("name = { en = \"x\" }\ntimezone = \"Mars/Base\"", "city.toml: timezone: Mars/Base is not");
    check(&HEAD.replace("\"grid\"", "\"Grid 1\""), "layers: \"Grid 1\" must be");
    check(&HEAD.replace("grid.geojson", "none.geojson"), "none.geojson: cannot be read");
    let mapped = |topic: &str| format!("{HEAD}\n[[mappings]]\nfile = \"m.toml\"\ntopic = \"{topic}\"");
    put(&folder, "m.toml", ROWS);
    check(&mapped("reports.v1"), "mappings: topic reports.v1 holds the contract's messages");
    check(&mapped("a b"), "mappings: topic \"a b\" must be letters");
    check(&mapped("rows"), "mapping m.toml: columns: are needed to read the rows of a topic");
    put(&folder, "classes.toml", "version = \"1\"\n\nclases = []\n");
    check(
        &HEAD.replace("rules =", "classes = [\"classes.toml\"]\nrules ="),
        "classes.toml: line 3: unknown field `clases`",
    );
    let missing = City::load(&folder.path().join("nowhere")).unwrap_err().to_string();
    assert!(missing.contains("city.toml: cannot be read"), "{missing}");
}

const ROWS: &str = r#"
target = "observations"
format = "csv"
crs = "GCJ-02"
fields = { source = "s", kind = { const = "air" }, time = { from = "t", time = "epoch_s" } }
"#;

#[test]
fn what_is_not_read_is_a_warning() {
    let folder = folder();
    put(
        &folder,
        "city.toml",
        &format!("{HEAD}\n[[mappings]]\nfile = \"m.toml\"\n[[feeds]]\nname = \"bus\"\ncrs = \"BD-09\"\n"),
    );
    put(&folder, "m.toml", ROWS);
    put(&folder, "rules/notes.txt", "later");
    let city = City::load(folder.path()).unwrap();
    assert_eq!(
        city.warnings,
        ["rules/notes.txt: is not read: rules are files whose names end in .json, .yaml or .yml",]
    );
}

#[test]
fn lines_of_json_are_named_by_line_and_column() {
    let folder = folder();
    put(&folder, "city.toml", &HEAD.replace("registry.csv", "registry.ndjson"));
    put(&folder, "registry.ndjson", "{\"id\":\"a\",\"kind\":\"air\"}\n\n{\"id\":\"b\",\"kind\":7}\n");
    let error = City::load(folder.path()).unwrap_err();
    assert!(error.problems[0].starts_with("registry.ndjson: line 3: kind: is integer `7`"), "{error}");
    assert!(error.problems[0].ends_with("(column 18)"), "{error}");
}

#[test]
fn unknown_areas_are_warnings() {
    let folder = folder();
    put(&folder, "rules/hot.json", &RULE.replace("\"d\"", "\"elsewhere\""));
    let city = City::load(folder.path()).unwrap();
    assert_eq!(city.warnings, ["rule hot: no area grid/elsewhere in this city"]);
}
