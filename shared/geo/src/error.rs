//! What can be wrong with areas that an index is asked to hold.

/// Why an index could not be built.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BuildError {
    /// A coordinate is not a finite number in −180…180 (longitude) or −90…90 (latitude).
    #[error("area {area}, ring {ring}, point {point}: not a position in degrees")]
    Coordinate {
        /// Index of the area.
        area: usize,
        /// Index of the ring within the area.
        ring: usize,
        /// Index of the point within the ring.
        point: usize,
    },
    /// More areas or edges than the index can number.
    #[error("more than {max} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there may be.
        max: usize,
    },
}
