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
        (r#""threshold":{"value":"x","side":"over","level":1}"#, "threshold: unknown variant `over`"),
        (r#""threshold":{"value":"x","side":"above","level":1,"clera":1}"#, "threshold: unknown field `clera`"),
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
        (r#""fence":{"on":"enter","shape":{"area":{"layer":"","code":"1"}}}"#, "fence.shape.area: "),
        (r#""speed":{}"#, ": has neither"),
    ];
    for (condition, expected) in cases {
        let error = refused(condition);
        assert!(error.starts_with(expected), "{condition} gave: {error}");
    }
    assert!(read(b"[1]").unwrap_err().to_string().contains("not a JSON object"));
    let no_title = r#"{"id":"a","version":1,"severity":"major","fence":{}}"#;
    assert_eq!(read(no_title.as_bytes()).unwrap_err().to_string(), "title: is missing");
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
