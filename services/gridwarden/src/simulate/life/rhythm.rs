//! The rhythm of a day, as factors around 1.

const DAY_MS: f64 = 86_400_000.0;

/// Hour of the local day, 0 to 24.
pub(super) fn hour(local_ms: i64) -> f64 {
    (local_ms as f64).rem_euclid(DAY_MS) / 3_600_000.0
}

/// A bump of width `width` hours around `centre`, between 0 and 1, that wraps over midnight.
fn bump(hour: f64, centre: f64, width: f64) -> f64 {
    let distance = (hour - centre).abs();
    let distance = distance.min(24.0 - distance) / width;
    (-distance * distance).exp()
}

/// Traffic: rush hours at 8 and 18, quiet at night.
pub(super) fn of_traffic(local_ms: i64) -> f64 {
    let h = hour(local_ms);
    0.25 + 0.8 * bump(h, 8.0, 2.0) + 0.8 * bump(h, 18.0, 2.5) + 0.5 * bump(h, 13.0, 4.0)
}

/// People awake and complaining: from 8 to 21, with a peak before noon.
pub(super) fn of_people(local_ms: i64) -> f64 {
    let h = hour(local_ms);
    0.15 + 0.9 * bump(h, 10.5, 3.0) + 0.7 * bump(h, 17.0, 4.0)
}

/// Heat: coldest at 5, warmest at 15; −1 to 1.
pub(super) fn of_heat(local_ms: i64) -> f64 {
    (std::f64::consts::TAU * (hour(local_ms) - 9.0) / 24.0).sin()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn rush_hours_are_busier_than_the_night() {
        assert!(of_traffic(8 * HOUR_MS) > 2.0 * of_traffic(3 * HOUR_MS));
        assert!(of_people(11 * HOUR_MS) > 3.0 * of_people(2 * HOUR_MS));
        assert!(of_heat(15 * HOUR_MS) > 0.9 && of_heat(3 * HOUR_MS) < -0.9);
    }

    #[test]
    fn midnight_has_no_step() {
        let (before, after) = (24 * HOUR_MS - 1, 24 * HOUR_MS);
        assert!((of_traffic(before) - of_traffic(after)).abs() < 1e-4);
        assert!((of_people(before) - of_people(after)).abs() < 1e-4);
    }
}
