//! Packs of real input: `$GRIDWARDEN_PACKS`, by default `../shared/packs` beside the checkout.

use std::path::{Path, PathBuf};

/// The workspace's root.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the workspace").to_path_buf()
}

/// The folder of a pack; `None`, said loudly, when it is not there.
///
/// # Panics
/// When it is not there and `CI=true`.
pub fn pack(name: &str) -> Option<PathBuf> {
    let packs = std::env::var_os("GRIDWARDEN_PACKS").map_or_else(|| workspace().join("../shared/packs"), PathBuf::from);
    let folder = packs.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let missing = format!("real input is missing: no folder {} (set GRIDWARDEN_PACKS)", folder.display());
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing}");
    eprintln!("SKIPPED: {missing}");
    None
}

/// Assembles a city folder: `tests/cities/<name>` with files of a pack copied to where its `city.toml` looks for them.
pub fn city(name: &str, files: &[(&Path, &str)], into: &Path) -> PathBuf {
    let folder = into.join(format!("city-{name}"));
    copy(&workspace().join("tests/cities").join(name), &folder);
    for (from, to) in files {
        let to = folder.join(to);
        std::fs::create_dir_all(to.parent().expect("a file in a folder")).expect("folder");
        std::fs::copy(from, &to).unwrap_or_else(|error| panic!("{} → {}: {error}", from.display(), to.display()));
    }
    folder
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copy");
        }
    }
}
