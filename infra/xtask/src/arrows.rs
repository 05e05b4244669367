//! Which crate may depend on which (`ARW-1`): services → shared; bus, store, runtime → domain → geo; nothing points back;
//! services never use services, but for the binary; the oracle of `tests/oracle` uses none of them. Packages with one owner (`ARW-2`): rdkafka, clickhouse, timely.

use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Where a crate stands; arrows go from higher layers to lower ones only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Floor {
    Geo,
    Domain,
    Edge,
    Infra,
    Service,
    Binary,
    Tests,
    Oracle,
}

fn floor(folder: &str) -> Option<Floor> {
    Some(match folder {
        "shared/geo" => Floor::Geo,
        "shared/domain" => Floor::Domain,
        "shared/bus" | "shared/store" | "shared/runtime" => Floor::Edge,
        "infra/embedded" | "infra/xtask" => Floor::Infra,
        "services/gridwarden" => Floor::Binary,
        "tests" => Floor::Tests,
        "tests/oracle" => Floor::Oracle,
        other if other.starts_with("services/") => Floor::Service,
        _ => return None,
    })
}

/// Whether an arrow between two floors is allowed.
fn allowed(from: Floor, to: Floor) -> bool {
    use Floor::{Binary, Domain, Edge, Geo, Infra, Oracle, Service, Tests};
    match from {
        // What it says it says by itself.
        Geo | Oracle => false,
        Domain => to == Geo,
        Edge => matches!(to, Domain | Geo),
        Infra => false,
        Service => matches!(to, Edge | Domain | Geo),
        Binary => matches!(to, Service | Infra | Edge | Domain | Geo),
        Tests => matches!(to, Service | Infra | Edge | Domain | Geo | Binary),
    }
}

/// What the tests of a floor may use besides: the embedded engine is tested with the client services use.
fn tested_with(from: Floor, to: Floor) -> bool {
    from == Floor::Infra && matches!(to, Floor::Edge | Floor::Domain)
}

/// Packages that one crate alone may name, with their owners (dev-dependencies of `infra/embedded` test the engine).
const OWNED: &[(&str, &[&str])] = &[
    ("rdkafka", &["shared/bus"]),
    ("rdkafka-sys", &["shared/bus"]),
    ("clickhouse", &["shared/store", "infra/embedded"]),
    ("timely", &["services/stream"]),
];

/// Packages the pure crates must not name.
const IMPURE: &[&str] = &["tokio", "reqwest", "axum", "rdkafka", "clickhouse", "tracing", "futures"];

/// Every broken arrow, one sentence each.
pub(crate) fn faults(root: &Path) -> Result<Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .context("cargo metadata did not start")?;
    anyhow::ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
    Ok(faults_in(root, &metadata))
}

fn faults_in(root: &Path, metadata: &Value) -> Vec<String> {
    let root = root.display().to_string();
    let folder_of = |path: &str| path.strip_prefix(&root).map(|rest| rest.trim_matches('/').to_owned());
    let mut faults = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let manifest = package["manifest_path"].as_str().unwrap_or_default();
        let folder = folder_of(manifest.trim_end_matches("Cargo.toml")).unwrap_or_default();
        let Some(from) = floor(&folder) else {
            faults.push(format!("{folder}: a crate where the house has no room for one"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let name = dependency["name"].as_str().unwrap_or_default();
            if let Some(path) = dependency["path"].as_str().and_then(folder_of) {
                let only_tests = dependency["kind"].as_str() == Some("dev");
                let fine = floor(&path).is_some_and(|to| allowed(from, to) || only_tests && tested_with(from, to));
                if !fine {
                    faults.push(format!("{folder} must not depend on {path}"));
                }
            }
            if let Some((_, owners)) = OWNED.iter().find(|(owned, _)| *owned == name)
                && !owners.contains(&folder.as_str())
            {
                faults.push(format!("{folder} must not name {name}: only {} may", owners.join(", ")));
            }
            let pure = matches!(from, Floor::Geo | Floor::Domain) && dependency["kind"].is_null();
            if pure && IMPURE.contains(&name) {
                faults.push(format!("{folder} is pure and must not name {name}"));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(folder: &str, dependencies: Value) -> Value {
        json!({"packages": [{"manifest_path": format!("/house/{folder}/Cargo.toml"), "dependencies": dependencies}]})
    }

    #[test]
    fn the_house_has_no_broken_arrow() {
        let root = crate::root().expect("root");
        assert_eq!(faults(&root).expect("metadata"), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_back_is_named() {
        let bad =
            package("shared/domain", json!([{"name": "gridwarden-bus", "path": "/house/shared/bus", "kind": null}]));
        assert_eq!(faults_in(Path::new("/house"), &bad), ["shared/domain must not depend on shared/bus"]);
    }

    #[test]
    fn only_tests_of_infra_use_what_is_shared() {
        let arrow = |kind| json!([{"name": "gridwarden-store", "path": "/house/shared/store", "kind": kind}]);
        let faults = |kind| faults_in(Path::new("/house"), &package("infra/embedded", arrow(kind)));
        assert_eq!(faults(json!("dev")), Vec::<String>::new());
        assert_eq!(faults(json!(null)), ["infra/embedded must not depend on shared/store"]);
    }

    #[test]
    fn a_service_that_uses_a_service_is_named() {
        let bad = package("services/console", json!([{"name": "x", "path": "/house/services/dispatch", "kind": null}]));
        assert_eq!(faults_in(Path::new("/house"), &bad), ["services/console must not depend on services/dispatch"]);
    }

    #[test]
    fn an_oracle_that_uses_what_it_judges_is_named() {
        let bad = package("tests/oracle", json!([{"name": "x", "path": "/house/shared/domain", "kind": null}]));
        assert_eq!(faults_in(Path::new("/house"), &bad), ["tests/oracle must not depend on shared/domain"]);
    }

    #[test]
    fn a_package_with_an_owner_and_an_impure_one_are_named() {
        let bad = package("shared/geo", json!([{"name": "rdkafka", "kind": null}]));
        let faults = faults_in(Path::new("/house"), &bad);
        assert_eq!(faults.len(), 2, "{faults:?}");
    }

    #[test]
    fn a_crate_in_a_strange_place_is_named() {
        let bad = package("extras/thing", json!([]));
        assert_eq!(faults_in(Path::new("/house"), &bad).len(), 1);
    }
}
