//! What console knows: the city, the atlas, the entities, and where the numbers are. Shared by API and live stream.

use crate::atlas::Atlas;
use crate::catalogue::Names;
use crate::live::board::Board;
use crate::live::book::Book;
use crate::metric_list::MetricList;
use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use gridwarden_bus::control::ControlReader;
use gridwarden_domain::city::CityFile;
use gridwarden_domain::class::Catalogue;
use gridwarden_domain::control::Timeline;
use gridwarden_runtime::clock::now_ms;
use gridwarden_store::read::Reader;
use jiff::tz::TimeZone;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, RwLock};

/// The city as far as console needs it.
pub struct CityFacts {
    /// `city.toml`.
    pub file: CityFile,
    /// Its time zone.
    pub zone: TimeZone,
    /// Names of kinds, values and classes.
    pub names: Names,
}

impl CityFacts {
    /// Reads `city.toml` and the class catalogues of a city folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let text =
            |path: &Path| std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
        let head = folder.join("city.toml");
        let file: CityFile =
            toml::from_str(&text(&head)?).with_context(|| format!("{} is not understood", head.display()))?;
        let zone = TimeZone::get(&file.timezone)
            .with_context(|| format!("{}: {} is not a time zone", head.display(), file.timezone))?;
        let mut catalogues: Vec<Catalogue> = Vec::new();
        for name in &file.classes {
            let path = folder.join(name);
            let parsed = toml::from_str(&text(&path)?);
            catalogues.push(parsed.with_context(|| format!("{} is not understood", path.display()))?);
        }
        let names = Names::new(&catalogues).context("the names that come with console are not understood")?;
        Ok(Self { file, zone, names })
    }
}

/// Everything API and live stream look at.
pub struct World {
    /// The city.
    pub city: CityFacts,
    /// Where the numbers are.
    pub reader: Reader,
    /// Layers in force, with outlines.
    pub atlas: ArcSwap<Atlas>,
    /// Who is where.
    pub book: RwLock<Book>,
    /// The alerts as last seen.
    pub board: RwLock<Board>,
    /// Which metrics there are.
    pub metric_list: MetricList,
    control: OnceLock<Arc<ControlReader>>,
    /// Since when ClickHouse does not answer, epoch ms; 0 while it does.
    away: AtomicI64,
}

impl World {
    /// Before anything is known but the city.
    pub fn new(city: CityFacts, reader: Reader) -> Self {
        let book = RwLock::new(Book::new(format!("{:x}", now_ms())));
        let (atlas, board, metric_list) = (ArcSwap::default(), RwLock::default(), MetricList::default());
        Self { city, reader, atlas, book, board, metric_list, control: OnceLock::new(), away: AtomicI64::new(0) }
    }

    /// From now on the control topics are followed.
    pub fn follow(&self, control: Arc<ControlReader>) {
        // Called once; a second reader would tell the same.
        self.control.set(control).ok();
    }

    /// Since when ClickHouse does not answer, epoch ms.
    pub fn away_since(&self) -> Option<i64> {
        Some(self.away.load(Ordering::Relaxed)).filter(|since| *since > 0)
    }

    /// The tick has seen whether it answers.
    pub fn set_away(&self, since: Option<i64>) {
        self.away.store(since.unwrap_or_default(), Ordering::Relaxed);
    }

    /// What is in force; `None` before the control topics are known.
    pub fn timeline(&self) -> Option<Arc<Timeline>> {
        let control = self.control.get()?;
        (control.covered_until_ms() > i64::MIN).then(|| control.timeline())
    }

    /// Why the control topics cannot be followed any more, if so.
    pub fn control_failure(&self) -> Option<String> {
        self.control.get()?.failure().map(|error| error.to_string())
    }

    /// The registered position of an entity.
    pub fn registered_position(&self, source: &str) -> Option<[f64; 2]> {
        let timeline = self.timeline()?;
        let position = timeline.entity_at(source, now_ms())?.position?;
        Some([position.lon, position.lat])
    }
}
