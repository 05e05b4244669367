//! In which reference system a layer's file is drawn: what `city.toml` says, what the file says, or WGS-84 (RFC 7946).

use crate::crs::Crs;
use serde::Deserialize;
use sonic_rs::LazyValue;

#[derive(Deserialize)]
struct NamedCrs {
    properties: CrsName,
}

#[derive(Deserialize)]
struct CrsName {
    name: String,
}

/// The system, or why it cannot be told. One that is not converted is refused by its name.
pub(super) fn of(declared: Option<Crs>, member: Option<&LazyValue<'_>>) -> Result<Crs, String> {
    let Some(raw) = member.map(LazyValue::as_raw_str).filter(|raw| raw.trim() != "null") else {
        return Ok(declared.unwrap_or_default());
    };
    let Ok(member) = sonic_rs::from_str::<NamedCrs>(raw) else {
        let raw: String = raw.chars().take(80).collect();
        return Err(format!("{raw} names no reference system"));
    };
    let named = named(&member.properties.name)?;
    match declared {
        // They are the same place.
        Some(declared) if declared.is_wgs84_compatible() && named.is_wgs84_compatible() => Ok(declared),
        Some(declared) if declared != named => {
            Err(format!("the file says {}, city.toml {}", named.as_str(), declared.as_str()))
        }
        _ => Ok(named),
    }
}

fn named(name: &str) -> Result<Crs, String> {
    const AS_DEGREES: [(&str, Crs); 4] =
        [(":CRS84", Crs::Wgs84), ("EPSG::4326", Crs::Wgs84), ("EPSG:4326", Crs::Wgs84), ("EPSG::4490", Crs::Cgcs2000)];
    let known = AS_DEGREES.iter().find(|(end, _)| name.ends_with(end)).map(|(_, crs)| *crs);
    known.or_else(|| Crs::parse(name)).ok_or_else(|| {
        let name: String = name.chars().take(80).collect();
        format!("{name}{} is not converted; give degrees in WGS-84, CGCS2000, GCJ-02 or BD-09", what_it_is(&name))
    })
}

/// What people know a code by.
fn what_it_is(name: &str) -> &'static str {
    let code = name.rsplit(':').next().and_then(|code| code.parse::<u32>().ok());
    match code.filter(|_| name.contains("EPSG")) {
        Some(3857 | 900_913) => " (Web Mercator, metres)",
        Some(4491..=4554) => " (CGCS2000, Gauss-Kruger, metres)",
        Some(2327..=2442) => " (Xian 1980 or Beijing 1954, Gauss-Kruger, metres)",
        Some(4214 | 4610) => " (Beijing 1954 or Xian 1980, another ellipsoid)",
        Some(32_601..=32_660 | 32_701..=32_760) => " (UTM, metres)",
        _ => "",
    }
}
