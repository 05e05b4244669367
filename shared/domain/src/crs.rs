//! Coordinate reference systems a source may speak. Anything not named here is rejected, never guessed.

use serde::{Deserialize, Serialize};

/// The reference system of a position as sent. Inside Gridwarden every position is WGS-84.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Crs {
    /// GPS; the default.
    #[default]
    #[serde(rename = "WGS-84")]
    Wgs84,
    /// China Geodetic Coordinate System 2000; taken as equal to WGS-84 (they differ by centimetres).
    #[serde(rename = "CGCS2000")]
    Cgcs2000,
    /// Chinese obfuscated system of public maps; not converted yet, rejected with that reason.
    #[serde(rename = "GCJ-02")]
    Gcj02,
    /// Baidu's system; not converted yet, rejected with that reason.
    #[serde(rename = "BD-09")]
    Bd09,
}

impl Crs {
    /// Reads the name used in contracts; `None` for any other.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "WGS-84" => Some(Self::Wgs84),
            "CGCS2000" => Some(Self::Cgcs2000),
            "GCJ-02" => Some(Self::Gcj02),
            "BD-09" => Some(Self::Bd09),
            _ => None,
        }
    }

    /// The name used in contracts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wgs84 => "WGS-84",
            Self::Cgcs2000 => "CGCS2000",
            Self::Gcj02 => "GCJ-02",
            Self::Bd09 => "BD-09",
        }
    }

    /// Whether positions in it can be used as they are.
    pub fn is_wgs84_compatible(self) -> bool {
        matches!(self, Self::Wgs84 | Self::Cgcs2000)
    }
}
