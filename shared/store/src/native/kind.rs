//! What a column holds, and what ClickHouse calls it.

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// So many bytes a value, and the type's name.
    Fixed(usize, &'static str),
    /// The same, or nothing.
    Nullable(usize, &'static str),
    /// `String`.
    Text,
    /// `Nullable(String)`.
    NullableText,
    /// `LowCardinality(String)`.
    Low,
    /// `Array(String)`.
    Texts,
    /// `Array(LowCardinality(String))`.
    Lows,
    /// Lists of values of so many bytes each, and the type's name.
    List(usize, &'static str),
    /// `Map(String, String)`.
    TextMap,
    /// `Map(LowCardinality(String), String)`.
    LowMap,
}

pub(crate) const BOOL: Kind = Kind::Fixed(1, "Bool");
pub(crate) const U16: Kind = Kind::Fixed(2, "UInt16");
pub(crate) const U32: Kind = Kind::Fixed(4, "UInt32");
pub(crate) const U64: Kind = Kind::Fixed(8, "UInt64");
pub(crate) const UUID: Kind = Kind::Fixed(16, "UUID");
/// Epoch seconds.
pub(crate) const SECONDS: Kind = Kind::Fixed(4, "DateTime('UTC')");
/// Epoch milliseconds.
pub(crate) const MILLIS: Kind = Kind::Fixed(8, "DateTime64(3, 'UTC')");
/// Millionths.
pub(crate) const DECIMAL18: Kind = Kind::Fixed(8, "Decimal(18, 6)");
pub(crate) const DECIMAL38: Kind = Kind::Fixed(16, "Decimal(38, 6)");
pub(crate) const NULLABLE_F32: Kind = Kind::Nullable(4, "Nullable(Float32)");
pub(crate) const NULLABLE_F64: Kind = Kind::Nullable(8, "Nullable(Float64)");
pub(crate) const NULLABLE_MILLIS: Kind = Kind::Nullable(8, "Nullable(DateTime64(3, 'UTC'))");
pub(crate) const FLOATS: Kind = Kind::List(8, "Array(Float64)");

impl Kind {
    /// The type as ClickHouse writes it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Fixed(_, name) | Self::Nullable(_, name) | Self::List(_, name) => name,
            Self::Text => "String",
            Self::NullableText => "Nullable(String)",
            Self::Low => "LowCardinality(String)",
            Self::Texts => "Array(String)",
            Self::Lows => "Array(LowCardinality(String))",
            Self::TextMap => "Map(String, String)",
            Self::LowMap => "Map(LowCardinality(String), String)",
        }
    }

    /// Whether its text stands in a dictionary.
    pub(super) fn is_low(self) -> bool {
        matches!(self, Self::Low | Self::Lows | Self::LowMap)
    }

    /// Whether a value is a list.
    pub(super) fn is_list(self) -> bool {
        matches!(self, Self::Texts | Self::Lows | Self::List(..) | Self::TextMap | Self::LowMap)
    }

    /// Bytes a row takes, about.
    pub(super) fn usual(self) -> usize {
        match self {
            Self::Fixed(width, _) | Self::Nullable(width, _) => width,
            Self::Text => 24,
            Self::NullableText | Self::Low => 0,
            Self::Texts | Self::Lows | Self::List(..) | Self::TextMap | Self::LowMap => 16,
        }
    }
}
