//! Numbers for names, so that millions of sums have small keys.

use std::collections::HashMap;

/// Areas and metrics by number.
#[derive(Default)]
pub(crate) struct Names {
    /// Layer, level, code.
    pub(crate) areas: Vec<(String, String, String)>,
    pub(crate) metrics: Vec<String>,
    known_areas: HashMap<(String, String, String), u32>,
    known_metrics: HashMap<String, u32>,
}

impl Names {
    /// The number of an area.
    pub(crate) fn area(&mut self, layer: &str, level: &str, code: &str) -> u32 {
        let area = (layer.to_owned(), level.to_owned(), code.to_owned());
        if let Some(number) = self.known_areas.get(&area) {
            return *number;
        }
        let number = self.areas.len() as u32;
        self.areas.push(area.clone());
        self.known_areas.insert(area, number);
        number
    }

    /// The number of a metric.
    pub(crate) fn metric(&mut self, name: &str) -> u32 {
        if let Some(number) = self.known_metrics.get(name) {
            return *number;
        }
        let number = self.metrics.len() as u32;
        self.metrics.push(name.to_owned());
        self.known_metrics.insert(name.to_owned(), number);
        number
    }

    /// `layer/code` of an area.
    pub(crate) fn place(&self, area: u32) -> String {
        self.areas.get(area as usize).map_or_else(String::new, |(layer, _, code)| format!("{layer}/{code}"))
    }

    /// Whether an area is this one.
    pub(crate) fn is(&self, area: u32, layer: &str, code: &str) -> bool {
        self.areas.get(area as usize).is_some_and(|(of, _, known)| of == layer && known == code)
    }
}
