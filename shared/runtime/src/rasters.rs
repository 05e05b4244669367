//! Rasters of layers kept on disk: reading one takes a tenth of the time that building it takes, and a layer version never changes.
//!
//! Nothing here is needed: a file that is missing, damaged or of another format is built again, and a folder that cannot be
//! written is said once per layer. Knows bytes and names, not what a raster is.
//!
//! Invariants:
//! * `RUN-5` A raster is taken under the name of its layer, its content's hash and its format only, and only when its checksum is
//!   right; it is put in its place whole (written beside it, then renamed).

use gridwarden_domain::locate::{Layer, LayerSet, RASTER_FORMAT};
use serde::Deserialize;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use twox_hash::XxHash64;

/// Smaller ones are built before they are read.
const LEAST_BYTES: usize = 1 << 20;
const SUFFIX: &str = ".raster";

/// `[rasters]` of a service that places records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RasterConfig {
    /// Folder they are kept in; services may share it. Empty: none is kept.
    pub folder: PathBuf,
}

/// What makes the rasters of a set of layers.
pub type Prepare = Arc<dyn Fn(&LayerSet) + Send + Sync>;

/// Builds what is not kept, and keeps it.
pub fn preparing(config: &RasterConfig) -> Prepare {
    if config.folder.as_os_str().is_empty() {
        return Arc::new(LayerSet::prepare);
    }
    let folder = config.folder.clone();
    Arc::new(move |set| prepare(&folder, set))
}

fn prepare(folder: &Path, set: &LayerSet) {
    for layer in &set.layers {
        let Some(file) = name(layer).map(|name| folder.join(name)) else {
            layer.prepare();
            continue;
        };
        if layer.is_prepared() || take(&file, layer) {
            continue;
        }
        layer.prepare();
        if layer.index_bytes() < LEAST_BYTES {
            continue;
        }
        if let Err(error) = put(&file, &layer.raster_bytes()) {
            tracing::warn!(file = %file.display(), %error, "a raster could not be kept; it is built again at the next start");
        }
    }
    if let Err(error) = tidy(folder, set) {
        tracing::warn!(folder = %folder.display(), %error, "rasters that nobody needs could not be removed");
    }
}

/// `None` for ids that no city folder could have: they come from a topic, and would be part of a path.
fn name(layer: &Layer) -> Option<String> {
    let (id, version) = (&layer.head.layer, &layer.version);
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    (plain(id) && plain(version) && id.len() <= 64).then(|| format!("{id}-{version}-{RASTER_FORMAT}{SUFFIX}"))
}

fn take(file: &Path, layer: &Layer) -> bool {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return false,
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "a raster cannot be read; it is built again");
            return false;
        }
    };
    let whole = bytes.split_first_chunk().is_some_and(|(sum, raster)| {
        u64::from_le_bytes(*sum) == XxHash64::oneshot(0, raster) && layer.take_raster(raster)
    });
    if !whole {
        tracing::warn!(file = %file.display(), "a raster is damaged; it is built again");
    }
    whole
}

fn put(file: &Path, raster: &[u8]) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut beside = OsString::from(file);
    beside.push(format!(".{}", std::process::id()));
    let written = fs::write(&beside, [&XxHash64::oneshot(0, raster).to_le_bytes(), raster].concat())
        .and_then(|()| fs::rename(&beside, file));
    if written.is_err() {
        // What is left of it would fill the disk further.
        fs::remove_file(&beside)
            .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    }
    written
}

/// Removes rasters of versions that are not in the set, and what a process that is gone was writing.
fn tidy(folder: &Path, set: &LayerSet) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let found = entry.file_name();
        let found = found.to_string_lossy();
        let known = set.layers.iter().filter_map(|layer| name(layer)).any(|name| *found == name);
        let unfinished = found.rsplit_once('.').filter(|(file, _)| file.ends_with(SUFFIX));
        let left = unfinished.is_some_and(|(_, process)| !Path::new("/proc").join(process).exists());
        if left || found.ends_with(SUFFIX) && !known {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridwarden_domain::layer::{Area, LayerHead, version_of};
    use gridwarden_domain::locate::Places;

    /// A layer of squares, large enough to be kept.
    fn set(shift: f64) -> LayerSet {
        let head: LayerHead = serde_json::from_str(r#"{"layer":"grid","levels":[{"id":"cell"}]}"#).expect("head");
        let square = |n: u32| {
            let [west, south] = [f64::from(n % 100) * 0.01 + shift, f64::from(n / 100) * 0.01];
            let ring = [[west, south], [west + 0.01, south], [west + 0.01, south + 0.01], [west, south + 0.01]];
            let area = serde_json::json!({"code": n.to_string(), "level": 0, "polygons": [[ring]]});
            serde_json::from_value::<Area>(area).expect("area")
        };
        let areas: Vec<Area> = (0..10_000).map(square).collect();
        let (version, _) = version_of(&head, &areas);
        LayerSet::new(vec![Arc::new(Layer::build(head, version, areas).expect("layer"))])
    }

    fn code(set: &LayerSet, lon: f64, lat: f64) -> Vec<String> {
        let mut places = Places::new();
        set.locate(lon, lat, 0, &mut places);
        set.area_refs(&places).into_iter().map(|area| area.code).collect()
    }

    fn kept(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("folder");
        entries.map(|entry| entry.expect("entry").path()).collect()
    }

    #[test]
    fn a_raster_is_kept_and_taken_and_one_of_another_content_is_not() {
        let place = tempfile::tempdir().expect("folder");
        let folder = place.path().join("rasters");
        let prepare = preparing(&RasterConfig { folder: folder.clone() });
        prepare(&set(0.0));
        let first = kept(&folder);
        assert_eq!(first.len(), 1, "{first:?}");
        let again = set(0.0);
        assert!(take(&first[0], &again.layers[0]) && again.layers[0].is_prepared());
        assert_eq!(code(&again, 0.005, 0.005), ["0"]);
        assert_eq!(code(&again, 0.995, 0.995), ["9999"]);
        let moved = set(1.0);
        prepare(&moved);
        assert_eq!(code(&moved, 1.005, 0.005), ["0"]);
        fs::write(folder.join("x.raster.4194999"), "").expect("no process has this number");
        fs::write(folder.join(format!("x.raster.{}", std::process::id())), "").expect("being written");
        prepare(&moved);
        fs::remove_file(folder.join(format!("x.raster.{}", std::process::id()))).expect("left alone");
        let second = kept(&folder);
        assert!(second.len() == 1 && second != first, "the other one is of no use any more: {second:?}");
    }

    #[test]
    fn a_damaged_raster_is_built_again() {
        let place = tempfile::tempdir().expect("folder");
        let folder = place.path().to_owned();
        let prepare = preparing(&RasterConfig { folder: folder.clone() });
        prepare(&set(0.0));
        let file = kept(&folder).remove(0);
        let whole = fs::read(&file).expect("kept");
        for spoil in [
            |bytes: &mut Vec<u8>| bytes.truncate(1_000),
            |bytes: &mut Vec<u8>| bytes[5_000] ^= 1,
            |bytes: &mut Vec<u8>| bytes.clear(),
        ] {
            let mut bytes = whole.clone();
            spoil(&mut bytes);
            fs::write(&file, &bytes).expect("written");
            let set = set(0.0);
            assert!(!take(&file, &set.layers[0]) && !set.layers[0].is_prepared());
            prepare(&set);
            assert_eq!(code(&set, 0.005, 0.005), ["0"]);
            assert!(fs::read(&file).expect("kept again") == whole);
        }
    }

    #[test]
    fn an_id_that_would_leave_the_folder_is_not_kept() {
        let place = tempfile::tempdir().expect("folder");
        let plain = set(0.0);
        let head = LayerHead { layer: "../grid".to_owned(), ..plain.layers[0].head.clone() };
        let layer = Layer::build(head, "v".to_owned(), plain.layers[0].areas.clone()).expect("layer");
        let set = LayerSet::new(vec![Arc::new(layer)]);
        preparing(&RasterConfig { folder: place.path().join("rasters") })(&set);
        assert!(set.layers[0].is_prepared() && kept(place.path()).is_empty());
    }

    #[test]
    fn without_a_folder_that_can_be_written_it_is_built_and_nothing_else() {
        let place = tempfile::tempdir().expect("folder");
        let file = place.path().join("file");
        fs::write(&file, "").expect("written");
        for folder in [PathBuf::new(), file.join("below")] {
            let set = set(0.0);
            preparing(&RasterConfig { folder })(&set);
            assert!(set.layers[0].is_prepared());
        }
        assert_eq!(kept(place.path()), [file]);
    }
}
