//! Units by name, as a factor and an offset to one base unit per dimension.

/// Dimension, name, factor and offset: base = value × factor + offset.
const UNITS: &[(&str, &str, f64, f64)] = &[
    ("speed", "m/s", 1.0, 0.0),
    ("speed", "km/h", 1.0 / 3.6, 0.0),
    ("speed", "mph", 0.447_04, 0.0),
    ("speed", "kn", 1852.0 / 3600.0, 0.0),
    ("temperature", "C", 1.0, 0.0),
    ("temperature", "K", 1.0, -273.15),
    ("temperature", "F", 5.0 / 9.0, -160.0 / 9.0),
    ("length", "m", 1.0, 0.0),
    ("length", "cm", 0.01, 0.0),
    ("length", "mm", 0.001, 0.0),
    ("length", "km", 1000.0, 0.0),
    ("length", "ft", 0.3048, 0.0),
    ("length", "mi", 1609.344, 0.0),
    ("pressure", "Pa", 1.0, 0.0),
    ("pressure", "hPa", 100.0, 0.0),
    ("pressure", "kPa", 1000.0, 0.0),
    ("pressure", "bar", 100_000.0, 0.0),
    ("pressure", "mmHg", 133.322_387_415, 0.0),
    ("concentration", "ug/m3", 1.0, 0.0),
    ("concentration", "mg/m3", 1000.0, 0.0),
    ("time", "ms", 0.001, 0.0),
    ("time", "s", 1.0, 0.0),
    ("time", "min", 60.0, 0.0),
    ("time", "h", 3600.0, 0.0),
    ("ratio", "1", 1.0, 0.0),
    ("ratio", "%", 0.01, 0.0),
];

/// How a number is turned into ours: value × `multiply` + `add`, in `f64`, rounded to fixed point afterwards.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Scale {
    pub(super) multiply: f64,
    pub(super) add: f64,
}

impl Scale {
    pub(super) const ONE: Self = Self { multiply: 1.0, add: 0.0 };

    pub(super) fn apply(self, number: f64) -> f64 {
        if self == Self::ONE { number } else { number * self.multiply + self.add }
    }
}

/// Reads `m/s to km/h`, or says what is wrong.
pub(super) fn conversion(text: &str) -> Result<Scale, String> {
    let (from, to) = text.split_once(" to ").ok_or_else(|| format!("`{text}` is not of the form `m/s to km/h`"))?;
    let find = |name: &str| {
        let unit = UNITS.iter().find(|(_, known, _, _)| *known == name);
        unit.ok_or_else(|| {
            let known: Vec<&str> = UNITS.iter().map(|(_, name, _, _)| *name).collect();
            format!("unknown unit `{name}`; known are {}", known.join(", "))
        })
    };
    let (from_dimension, from_name, from_factor, from_offset) = find(from.trim())?;
    let (to_dimension, to_name, to_factor, to_offset) = find(to.trim())?;
    if from_dimension != to_dimension {
        return Err(format!("{from_name} is a {from_dimension}, {to_name} a {to_dimension}"));
    }
    Ok(Scale { multiply: from_factor / to_factor, add: (from_offset - to_offset) / to_factor })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_convert() {
        let convert = |text: &str, number: f64| conversion(text).expect("known").apply(number);
        assert!((convert("m/s to km/h", 10.0) - 36.0).abs() < 1e-9);
        assert!((convert("F to C", 212.0) - 100.0).abs() < 1e-9);
        assert!((convert("K to F", 273.15) - 32.0).abs() < 1e-9);
        assert!((convert("mg/m3 to ug/m3", 0.035) - 35.0).abs() < 1e-9);
        assert_eq!(convert("C to C", 21.3), 21.3);
    }

    #[test]
    fn what_does_not_convert_says_why() {
        assert_eq!(conversion("m/s to C"), Err("m/s is a speed, C a temperature".to_owned()));
        assert!(conversion("furlong to m").is_err_and(|why| why.starts_with("unknown unit `furlong`")));
        assert!(conversion("m/s").is_err());
    }
}
