//! Makes a city folder where there is none: written beside its place and renamed, so that one half made is made anew.

use super::{CityOptions, generate, write};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

/// Makes the city in `folder` unless one is there; says whether it did. `beside` are further files of it by name.
///
/// # Errors
/// A folder that holds something else, which is left as it is; what the file system says.
pub(crate) fn make(
    folder: &Path,
    options: &CityOptions,
    beside: &[(&str, String)],
    say: impl Fn(&str),
) -> Result<bool> {
    if folder.join("city.toml").is_file() {
        return Ok(false);
    }
    let what = || format!("cannot make a simulated city in {}", folder.display());
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{}: the folder holds no city.toml, but something else", what());
    }
    say(&format!("making a simulated city (seed {}, {} cells)", options.seed, options.cells));
    let mut half = folder.as_os_str().to_owned();
    half.push(".new");
    let half = Path::new(&half);
    if half.exists() {
        fs::remove_dir_all(half).with_context(what)?;
    }
    fs::create_dir_all(half).with_context(what)?;
    let city = generate(options);
    let areas: usize = city.layers.iter().map(|(_, areas)| areas.len()).sum();
    say(&format!("writing {areas} areas and {} entities", city.registry.len()));
    write(&city, half).with_context(what)?;
    for (name, text) in beside {
        fs::write(half.join(name), text).with_context(what)?;
    }
    if folder.exists() {
        // Empty, as was looked at.
        fs::remove_dir(folder).with_context(what)?;
    }
    fs::rename(half, folder).with_context(what)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_runtime::city::City;

    fn options() -> CityOptions {
        CityOptions { cells: 100, ..CityOptions::default() }
    }

    #[test]
    fn a_city_is_made_once_whole_and_without_warnings() {
        let place = tempfile::tempdir().expect("folder");
        let folder = place.path().join("a/city");
        // What an interrupted run leaves behind.
        fs::create_dir_all(place.path().join("a/city.new/layers")).expect("half");
        assert!(make(&folder, &options(), &[("extra", "x".to_owned())], |_| {}).expect("made"));
        let city = City::load(&folder).expect("readable");
        assert!(city.file.simulated && !city.registry.is_empty() && !city.rules.is_empty());
        assert_eq!(city.warnings, Vec::<String>::new());
        assert_eq!(fs::read_to_string(folder.join("extra")).expect("extra"), "x");
        assert!(!place.path().join("a/city.new").exists());
        let before = fs::read(folder.join("layers/grid.geojson")).expect("layer");
        assert!(!make(&folder, &CityOptions { seed: 2, ..options() }, &[], |_| {}).expect("there"));
        assert_eq!(fs::read(folder.join("layers/grid.geojson")).expect("layer"), before);
    }

    #[test]
    fn the_same_seed_writes_the_same_files() {
        let place = tempfile::tempdir().expect("folder");
        let text = |name: &str| {
            let folder = place.path().join(name);
            make(&folder, &options(), &[], |_| {}).expect("made");
            let files =
                ["city.toml", "classes.toml", "streets.geojson", "layers/grid.geojson", "registry/entities.ndjson"];
            files.map(|file| fs::read(folder.join(file)).expect(file))
        };
        assert_eq!(text("one"), text("two"));
    }

    #[test]
    fn a_folder_with_something_else_in_it_is_left_alone() {
        let place = tempfile::tempdir().expect("folder");
        fs::write(place.path().join("thesis.txt"), "years of work").expect("written");
        let error = make(place.path(), &options(), &[], |_| {}).expect_err("refused").to_string();
        assert!(error.ends_with("the folder holds no city.toml, but something else"), "{error}");
        assert!(place.path().join("thesis.txt").is_file());
        let empty = place.path().join("empty");
        fs::create_dir(&empty).expect("folder");
        assert!(make(&empty, &options(), &[], |_| {}).expect("made"));
    }
}
