//! Rule documents that are refused, and the place each error names.

use crate::rule::{Condition, Rule, read};

fn document(condition: &str) -> String {
    format!(
        r#"{{"id":"pm25","version":1,"title":{{"en":"PM2.5"}},"severity":"major","select":{{"kinds":["air"]}},{condition}}}"#
    )
}

fn refused(condition: &str) -> String {
    read(document(condition).as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_threshold_is_read_and_written_back() {
    let text = document(r#""threshold":{"value":"pm25","side":"above","level":150,"clear":120.5,"hold_s":60}"#);
    let rule = read(text.as_bytes()).unwrap();
    assert!(matches!(&rule.condition, Condition::Threshold(t) if t.clear == Some(120.5)));
    let written = serde_json::to_vec(&rule).unwrap();
    assert_eq!(read(&written).unwrap(), rule);
    assert_eq!(serde_json::from_slice::<Rule>(&written).unwrap(), rule);
}

#[test]
fn the_error_names_the_place() {
    let cases = [
        (r#""threshold":{"value":"pm25","side":"above","level":150,"clear":160}"#, "threshold.clear: 160"),
        (r#""threshold":{"value":"pm25","side":"below","level":150,"clear":140}"#, "threshold.clear: 140"),
        (r#""threshold":{"value":"","side":"below","level":150}"#, "threshold.value: "),
        (r#""threshold":{"value":"x","side":"over","level":1}"#, "threshold.side: unknown variant `over`"),
        (r#""threshold":{"value":"x","side":"above","level":1,"clera":1}"#, "threshold.clera: unknown field `clera`"),
        (r#""threshold":{"value":"x","side":"above","level":1},"holds":3"#, "holds: is not a field"),
        (
            r#""fence":{"on":"enter","shape":{"circle":{"centre":[121,31],"radius_m":0}}}"#,
            "fence.shape.circle.radius_m: 0",
        ),
        (
            r#""fence":{"on":"enter","shape":{"circle":{"centre":[121,131],"radius_m":5}}}"#,
            "fence.shape.circle.centre: ",
        ),
        (
            r#""fence":{"on":"enter","shape":{"polygon":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}}"#,
            "fence.shape.polygon[0]: the outline crosses itself near 0.500000, 0.500000",
        ),
        (r#""fence":{"on":"enter","shape":{"polygon":[[[0,0],[1,1],[0,0]]]}}"#, "fence.shape.polygon[0]: no ring"),
        (r#""fence":{"on":"enter","shape":{"polygon":[]}}"#, "fence.shape.polygon: has no ring"),
        (r#""density":{"place":{"each":""},"at_least":3,"within_s":60}"#, "density.place.each: must name a layer"),
        (r#""density":{"place":{"each":"g"},"at_least":0,"within_s":60}"#, "density.at_least: 0 must be 1"),
        (r#""density":{"place":{"each":"g"},"at_least":3,"within_s":0}"#, "density.within_s: must be 1 to 86400"),
        (
            r#""density":{"place":{"each":"g"},"at_least":3,"clear_below":4,"within_s":60}"#,
            "density.clear_below: 4 must not lie above",
        ),
        (
            r#""density":{"place":{"each":"g"},"at_least":3,"within_s":60,"crs":"GCJ-02"}"#,
            "density.crs: is for a polygon",
        ),
        (r#""density":{"place":{"polygon":[]},"at_least":3,"within_s":60}"#, "density.place.polygon: has no ring"),
        (r#""proximity":{"within_m":0,"within_s":60}"#, "proximity.within_m: 0 must be above 0"),
        (r#""proximity":{"within_m":50,"clear_m":40,"within_s":60}"#, "proximity.clear_m: 40 must not be less"),
        (r#""proximity":{"to":{"kinds":["A B"]},"within_m":50,"within_s":60}"#, "proximity.to.kinds[0]: "),
        (r#""cluster":{"at_least":3,"within_m":50,"within_s":60}"#, "cluster: looks at nothing"),
        (
            r#""window":{"place":{"each":"g"},"statistic":"mean","window_s":60,"side":"above","level":1}"#,
            "window.value: is needed",
        ),
        (
            r#""window":{"place":{"each":"g"},"statistic":"count","value":"x","reports":[],"window_s":60,"side":"above","level":1}"#,
            "window.reports: have no values",
        ),
        (
            r#""window":{"place":{"each":"g"},"statistic":"count","window_s":0,"side":"above","level":1}"#,
            "window.window_s: must be 1 to 86400",
        ),
        (
            r#""window":{"place":{"each":"g"},"statistic":"count","window_s":60,"side":"above","level":1,"clear":2}"#,
            "window.clear: 2 must not lie above",
        ),
        (
            r#""window":{"place":{"each":"g"},"statistic":"count","window_s":60,"side":"above","level":1,"at_least":2}"#,
            "window.at_least: is not for a count",
        ),
        (
            r#""window":{"place":{"each":"g"},"statistic":"count","window_s":60,"side":"above","level":1,"windows":0}"#,
            "window.windows: must be 1 to 1000",
        ),
        (r#""cluster":{"at_least":1,"within_m":50,"within_s":60,"reports":[]}"#, "cluster.at_least: 1 must be 2"),
        (r#""cluster":{"at_least":2,"within_m":50,"within_s":60,"reports":["a",""]}"#, "cluster.reports[1]: "),
        (r#""fence":{"on":"enter","shape":{"area":{"layer":"","code":"1"}}}"#, "fence.shape.area: "),
        (r#""threshold":{"value":"x","side":"above","level":1.1e12}"#, "threshold.level: 1100000000000 is beyond"),
        (
            r#""threshold":{"value":"x","side":"above","level":1,"clear":-1e13}"#,
            "threshold.clear: -10000000000000 is beyond",
        ),
        (r#""fence":{"on":"dwell","shape":{"polygon":[[[0,0],[1,0],[1,1]]]}}"#, "fence.hold_s: is needed for dwell"),
        (
            r#""fence":{"on":"enter","shape":{"area":{"layer":"l","code":"1"}},"margin_m":5}"#,
            "fence.margin_m: is for a",
        ),
        (r#""fence":{"on":"enter","shape":{"area":{"layer":"l","code":"1"}},"crs":"BD-09"}"#, "fence.crs: is for a"),
        (
            r#""fence":{"on":"enter","shape":{"polygon":[[[0,0],[1,0],[1,1]]]},"crs":"EPSG:3857"}"#,
            "fence.crs: unknown variant",
        ),
        (
            r#""fence":{"on":"enter","shape":{"polygon":[[[0,0],[1,0],[1,1]]]},"margin_m":0}"#,
            "fence.margin_m: 0 must be",
        ),
        (r#""fence":{"on":"enter","shape":{"polygon":[[[0,0],[1,0],[1,1]]]},"accuracy_m":-1}"#, "fence.accuracy_m: -1"),
        (
            r#""fence":{"on":"enter","shape":{"polygon":[[[0,0],[1,0],[1,1]]]},"hold_s":604801}"#,
            "fence.hold_s: must be",
        ),
        (
            r#""fence":{"on":"enter","shape":{"line":{"points":[[0,0]],"reach_m":5}}}"#,
            "fence.shape.line.points: 1 points; 2",
        ),
        (
            r#""fence":{"on":"enter","shape":{"line":{"points":[[0,0],[170,0],[-170,0]],"reach_m":5}}}"#,
            "fence.shape.line.points[2]: lies beyond the date line",
        ),
        (
            r#""fence":{"on":"enter","shape":{"line":{"points":[[0,0],[0,86]],"reach_m":5}}}"#,
            "fence.shape.line.points[1]: is too near a pole",
        ),
        (
            r#""fence":{"on":"enter","shape":{"line":{"points":[[0,0],[0,1]],"reach_m":20000}}}"#,
            "fence.shape.line.reach_m: 20000 must",
        ),
        (r#""threshold":["x","above",1]"#, "threshold: is a list, not an object"),
        (r#""fence":{"on":"enter","shape":{"circle":[[121,31],5]}}"#, "fence.shape.circle: is a list, not an object"),
        (r#""fence":{"on":{"enter":null},"shape":{"area":{"layer":"l","code":"1"}}}"#, "fence.on: is an object"),
        (r#""speed":{}"#, ": has none of threshold, fence, silence"),
        (r#""silence":{"after_s":0}"#, "silence.after_s: must be 1 to 604800"),
        (r#""silence":{"after_s":5,"of":"v"}"#, "silence.of: unknown field `of`"),
        (r#""silence":{"after_s":5},"fence":{}"#, ": has more than one condition: fence, silence"),
    ];
    for (condition, expected) in cases {
        let error = refused(condition);
        assert!(error.starts_with(expected), "{condition} gave: {error}");
    }
    let twice = document(r#""threshold":{"value":"x","side":"above","level":1},"version":2"#);
    assert_eq!(read(twice.as_bytes()).unwrap_err().to_string(), "version: stands twice");
    let whole = r#"{"id":"a","version":1,"title":{"en":"A"},"severity":"major","select":{"kinds":["air"]},"threshold":{"value":"x","side":"above","level":1}}"#;
    for (good, bad, field) in [
        (r#"["air"]"#, r#"["air","Air"]"#, "select.kinds[1]: must be"),
        (r#""kinds":["air"]"#, r#""sources":["a\nb"]"#, "select.sources[0]: must have"),
        (r#"{"kinds":["air"]}"#, "[]", "select: is a list, not an object"),
        (r#"{"en":"A"}"#, r#"["A"]"#, "title: is a list, not an object"),
    ] {
        let error = read(whole.replace(good, bad).as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(field), "{bad} gave: {error}");
    }
    assert!(read(whole.as_bytes()).is_ok());
    assert_eq!(read(b"{\xff}").unwrap_err().to_string(), ": is not UTF-8 at byte 1");
    assert!(read(b"[1]").unwrap_err().to_string().contains("not a JSON object"));
    let no_title = r#"{"id":"a","version":1,"severity":"major","fence":{}}"#;
    assert_eq!(read(no_title.as_bytes()).unwrap_err().to_string(), "title: is missing");
}

#[test]
fn a_value_of_the_wrong_form_is_named_by_line_and_column() {
    let text = "{\n  \"id\": \"a\", \"version\": 1, \"title\": {\"en\": \"x\"}, \"severity\": \"worst\",\n  \"fence\": {\"on\": \"enter\", \"shape\": {\"polygon\": [[[0, 0], [1, 0],\n    [1, \"x\"]]]}}\n}";
    let error = read(text.as_bytes()).unwrap_err().to_string();
    assert!(
        error.starts_with("severity: unknown variant `worst`") && error.ends_with("(line 2, column 68)"),
        "{error}"
    );
    let error = read(text.replace("worst", "major").as_bytes()).unwrap_err().to_string();
    assert!(
        error.starts_with("fence.shape.polygon[0][2][1]: invalid type: string \"x\"")
            && error.ends_with("(line 4, column 11)"),
        "{error}"
    );
}

#[test]
fn an_outline_over_the_date_line_must_be_cut() {
    let said = refused(r#""fence":{"on":"enter","shape":{"polygon":[[[179,0],[-179,0],[-179,1],[179,1]]]}}"#);
    assert!(said.starts_with("fence.shape.polygon[0]: an edge goes from longitude"), "{said}");
    let cut = r#""fence":{"on":"enter","shape":{"polygon":[[[179,0],[180,0],[180,1],[179,1]],[[-180,0],[-179,0],[-179,1],[-180,1]]]}}"#;
    assert!(read(document(cut).as_bytes()).is_ok());
}

#[test]
fn too_many_vertices_are_refused() {
    let points: Vec<String> = (0..100_001)
        .map(|i| {
            let angle = f64::from(i) / 100_001.0 * std::f64::consts::TAU;
            format!("[{},{}]", angle.cos(), angle.sin())
        })
        .collect();
    let condition = format!(r#""fence":{{"on":"enter","shape":{{"polygon":[[{}]]}}}}"#, points.join(","));
    assert!(refused(&condition).contains("100001 vertices"));
}
