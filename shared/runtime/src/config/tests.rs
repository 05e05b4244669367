//! Every way a configuration can be given, and every way it can be wrong.

use super::*;
use std::collections::BTreeMap;

const DEFAULTS: &str = r#"
# Where it listens.
[http]
listen = "127.0.0.1:0"

# Limits.
[limits]
rows = 100          # rows per block
ratio = 0.5         # share
names = ["a"]       # names
mode = "fast"       # fast or exact
# token = "env:X"   # a secret
[limits.properties] # passed through
"#;

#[derive(Debug, Deserialize)]
struct Config {
    http: HttpConfig,
    limits: Limits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    #[serde(rename = "rows")]
    _rows: u32,
}

#[derive(Debug, Deserialize)]
struct StrictConfig {
    #[serde(rename = "limits")]
    _limits: Strict,
}

#[derive(Debug, Deserialize)]
struct Limits {
    rows: u32,
    ratio: f64,
    names: Vec<String>,
    mode: Mode,
    token: Option<Secret>,
    properties: BTreeMap<String, String>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Fast,
    Exact,
}

fn with(file: Option<&str>, environment: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("my.toml");
    if let Some(text) = file {
        std::fs::write(&path, text).expect("write");
    }
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let loaded = load_with("archive", DEFAULTS, file.map(|_| path.as_path()), environment);
    loaded.map_err(|e| e.to_string().replace(&folder.path().display().to_string(), "DIR"))
}

#[test]
fn defaults_alone() {
    let config = with(None, &[]).expect("config");
    assert_eq!((config.limits.rows, config.limits.mode), (100, Mode::Fast));
    assert!(config.limits.token.is_none());
    assert_eq!(config.http.listen.port(), 0);
}

#[test]
fn the_file_lies_over_the_defaults_and_the_environment_over_both() {
    let file = "[limits]\nrows = 5\nmode = \"exact\"\n[limits.properties]\n\"ssl.ca\" = \"x\"\n";
    let environment = [
        ("GRIDWARDEN_LIMITS__ROWS", "7"),
        ("GRIDWARDEN_LIMITS__RATIO", "1"),
        ("GRIDWARDEN_LIMITS__TOKEN", "123"),
        ("GRIDWARDEN_LIMITS__NAMES", "[\"b\", \"c\"]"),
        ("GRIDWARDEN_LIMITS__PROPERTIES__A", "1"),
        ("GRIDWARDEN_HTTP__LISTEN", "127.0.0.1:80"),
        ("GRIDWARDEN_LOG", "debug"),
        ("OTHER__X", "1"),
    ];
    let limits = with(Some(file), &environment).expect("config").limits;
    assert_eq!((limits.rows, limits.ratio, limits.mode), (7, 1.0, Mode::Exact));
    assert!(limits.token.is_some_and(|token| token.matches("123")), "digits stay text where text is wanted");
    assert_eq!(limits.names, ["b", "c"]);
    assert_eq!(
        limits.properties.into_iter().collect::<Vec<_>>(),
        [("a".into(), "1".into()), ("ssl.ca".into(), "x".into())]
    );
}

#[test]
fn every_mistake_is_a_sentence_with_key_and_origin() {
    let sentence = |file: Option<&str>, environment: &[(&str, &str)]| with(file, environment).expect_err("wrong");
    assert_eq!(
        sentence(Some("[limits]\nrowz = 1\n"), &[]),
        "archive knows no configuration key limits.rowz (from DIR/my.toml)"
    );
    assert_eq!(
        sentence(None, &[("GRIDWARDEN_LIMITS__ROWZ", "1")]),
        "archive knows no configuration key limits.rowz (from the environment variable GRIDWARDEN_LIMITS__ROWZ)"
    );
    let text = sentence(None, &[("GRIDWARDEN_LIMITS__ROWS", "many")]);
    assert!(
        text.starts_with(
            "configuration key limits.rows (from the environment variable GRIDWARDEN_LIMITS__ROWS): invalid type"
        ),
        "{text}"
    );
    let text = sentence(Some("[limits]\nrows = -1\n"), &[]);
    assert!(text.starts_with("configuration key limits.rows (from DIR/my.toml): invalid value"), "{text}");
    let text = sentence(Some("[limits]\nmode = \"slow\"\n"), &[]);
    assert!(text.starts_with("configuration key limits.mode (from DIR/my.toml): unknown variant `slow`"), "{text}");
    assert_eq!(
        sentence(Some("[limits]\ntoken = 918273\n"), &[]),
        "configuration key limits.token (from DIR/my.toml): a text is expected",
        "a secret is not repeated"
    );
    assert_eq!(
        sentence(None, &[("GRIDWARDEN_LIMITS__TOKEN", "env:NO_SUCH_X")]),
        "configuration key limits.token (from the environment variable GRIDWARDEN_LIMITS__TOKEN): \
         the environment variable NO_SUCH_X is not set"
    );
    let text = sentence(None, &[("GRIDWARDEN_HTTP__LISTEN", "localhost")]);
    assert!(
        text.starts_with("configuration key http.listen (from the environment variable GRIDWARDEN_HTTP__LISTEN): "),
        "{text}"
    );
    let text = sentence(Some("[limits]\nnames = [\"a\", 7]\n"), &[]);
    assert!(text.starts_with("configuration key limits.names.1 (from DIR/my.toml): "), "{text}");
    assert_eq!(
        not_text("GRIDWARDEN_LIMITS__ROWS".to_owned()).to_string(),
        "configuration key limits.rows (from the environment variable GRIDWARDEN_LIMITS__ROWS): its value is not UTF-8"
    );
    let text = sentence(Some("[limits\n"), &[]);
    assert!(text.starts_with("DIR/my.toml is not TOML: line 1: "), "{text}");
    let text = load_with::<Config>("x", DEFAULTS, Some(Path::new("/no/such")), []).expect_err("none").to_string();
    assert!(text.starts_with("the configuration file /no/such cannot be read"), "{text}");
    let text = load_with::<Config>("x", "[http]\nlisten = \"127.0.0.1:0\"\n", None, []).expect_err("none").to_string();
    assert_eq!(
        text,
        "x: the configuration key limits is missing; give it in the file of --config or in the environment"
    );
}

#[test]
fn what_types_cannot_say_is_told_with_its_origin_too() {
    let check = |config: &Config| match config.limits.rows {
        0 => Err(Wrong::new("limits.rows", "0 rows make no block")),
        7 => Err(Wrong::new("limits.no.such", "is a key nobody gives")),
        _ => Ok(()),
    };
    let loaded = |rows: &str| {
        let environment = [("GRIDWARDEN_LIMITS__ROWS".to_owned(), rows.to_owned())];
        load_checked_with("archive", DEFAULTS, None, environment, check).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(loaded("1"), Ok(()));
    let origin = "from the environment variable GRIDWARDEN_LIMITS__ROWS";
    assert_eq!(loaded("0"), Err(format!("configuration key limits.rows ({origin}): 0 rows make no block")));
    let nobody = "configuration key limits.no.such (from the built-in defaults): is a key nobody gives";
    assert_eq!(loaded("7"), Err(nobody.to_owned()));
}

#[test]
fn the_defaults_are_checked() {
    assert_eq!(faults_in_defaults::<Config>(DEFAULTS), Vec::<String>::new());
    let faults = faults_in_defaults::<Config>(&DEFAULTS.replace("# rows per block", "").replace("# Limits.", ""));
    assert_eq!(faults, ["rows: has no comment"]);
    let faults = faults_in_defaults::<Config>(&DEFAULTS.replace("# token", "# tok"));
    assert_eq!(faults, ["limits.token: not in the defaults, not even as a comment"]);
    let faults = faults_in_defaults::<Config>(&format!("{DEFAULTS}\n# what\n[more]\nx = 1\n"));
    assert_eq!(faults, ["more: nobody reads it"]);
}

#[test]
fn a_type_that_refuses_unknown_keys_itself_is_told_the_same_way() {
    let environment = [("GRIDWARDEN_LIMITS__ROWZ".to_owned(), "1".to_owned())];
    let error = load_with::<StrictConfig>("x", "[limits]\nrows = 1\n", None, environment).expect_err("unknown");
    assert_eq!(
        error.to_string(),
        "x knows no configuration key limits.rowz (from the environment variable GRIDWARDEN_LIMITS__ROWZ)"
    );
}
