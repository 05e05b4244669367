//! A row of the archive's log, in ClickHouse's `RowBinary`: where it begins and ends, and what it says. The order of columns is that of
//! the query beside it.

use gridwarden_domain::observation::Position;

/// Where a row lies in what came, and where its record stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) offset: i64,
    /// Number of its block, and where it begins there.
    pub(super) block: u32,
    pub(super) start: u32,
    pub(super) length: u32,
    pub(super) what: u8,
}

impl Spot {
    /// Whether it is a record of its own, or says something about the one at its offset.
    pub(super) fn is_again(&self) -> bool {
        self.what == AGAIN
    }
}

/// What is asked of a row before its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outline {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) partition: u32,
    pub(super) offset: i64,
    pub(super) appended_ms: i64,
    /// First byte, and one past the last.
    pub(super) feed: (u32, u32),
    pub(super) origin: (u32, u32),
    pub(super) simulated: bool,
}

const AGAIN: u8 = 0;
const OBSERVATION: u8 = 1;
const REPORT: u8 = 2;
const REJECT: u8 = 3;
const MARKER: u8 = 4;
const REPEAT: u8 = 5;

/// The row that begins here (in a block of that number) and its partition; none when not all of it is there.
#[inline]
pub(super) fn spot(bytes: &[u8], (block, start): (u32, usize)) -> Option<(u32, Spot)> {
    let mut row = Bytes { bytes, at: start };
    let (partition, offset, what) = (row.u32()?, row.i64()?, row.u8()?);
    row.skip(8 + 8 + 1)?;
    for _ in ["feed", "origin", "source", "kind", "id"] {
        row.raw()?;
    }
    for wide in [8, 8, 4] {
        if row.u8()? == 0 {
            row.skip(wide)?;
        }
    }
    for _ in 0..row.length()? {
        row.raw()?;
    }
    let numbers = row.length()?;
    row.skip(numbers.checked_mul(8)?)?;
    let length = u32::try_from(row.at - start).ok()?;
    Some((partition, Spot { offset, block, start: u32::try_from(start).ok()?, length, what }))
}

/// What a whole row is asked for.
pub(super) fn outline(bytes: &[u8], start: usize, end: usize) -> Option<Outline> {
    let mut row = Bytes { bytes, at: start };
    let (partition, offset) = (row.u32()?, row.i64()?);
    row.skip(1)?;
    let appended_ms = row.i64()?;
    row.skip(8)?;
    let simulated = row.u8()? != 0;
    let (feed, origin) = (row.span()?, row.span()?);
    Some(Outline { start, end, partition, offset, appended_ms, feed, origin, simulated })
}

/// What an archived record said.
#[derive(Clone, Debug)]
pub enum LogSaid<'a> {
    /// An observation.
    Observation(LogObservation<'a>),
    /// A report.
    Report(LogReport<'a>),
    /// It was rejected, with this code.
    Reject(&'a str),
    /// The end of a feed.
    Marker(&'a [u8]),
    /// It repeats another that was sent again.
    Repeat,
}

/// What is kept of an observation and matters to whoever decides on it.
#[derive(Clone, Debug)]
pub struct LogObservation<'a> {
    /// Event time, epoch ms.
    pub time_ms: i64,
    /// Source.
    pub source: &'a str,
    /// Kind.
    pub kind: &'a str,
    /// The source's own id.
    pub id: Option<&'a str>,
    /// Where; the registered position of an entity that said none.
    pub position: Option<Position>,
    /// Names and numbers, in the order sent.
    pub values: LogValues<'a>,
}

/// What is kept of a report and matters to whoever decides on it.
#[derive(Clone, Debug)]
pub struct LogReport<'a> {
    /// Event time, epoch ms.
    pub time_ms: i64,
    /// Report id.
    pub id: &'a str,
    /// Class code.
    pub class: &'a str,
    /// Where.
    pub position: Option<Position>,
    /// The area it names, `layer/code`.
    pub area: Option<&'a str>,
}

/// Names and numbers of an observation.
#[derive(Clone, Debug)]
pub struct LogValues<'a> {
    names: Bytes<'a>,
    numbers: &'a [u8],
    left: usize,
}

impl<'a> Iterator for LogValues<'a> {
    type Item = (&'a str, f64);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = self.names.text()?;
        let (number, rest) = self.numbers.split_first_chunk::<8>()?;
        self.numbers = rest;
        Some((name, f64::from_le_bytes(*number)))
    }
}

impl<'a> LogSaid<'a> {
    /// Takes a row apart; none when it is not one, or holds text that is none.
    #[inline]
    pub fn read(row: &'a [u8]) -> Option<Self> {
        let mut row = Bytes { bytes: row, at: 0 };
        row.skip(4 + 8)?;
        let what = row.u8()?;
        row.skip(8)?;
        let time_ms = row.i64()?;
        row.skip(1)?;
        let (feed, _origin) = (row.raw()?, row.raw()?);
        let (source, kind, id) = (row.text()?, row.text()?, row.text()?);
        match what {
            OBSERVATION => {
                let position = row.position()?;
                let left = row.length()?;
                let names = row;
                for _ in 0..left {
                    row.span()?;
                }
                let numbers = row.length()?.checked_mul(8)?;
                let numbers = row.take(numbers)?;
                let values = LogValues { names, numbers, left };
                let id = Some(id).filter(|id| !id.is_empty());
                Some(Self::Observation(LogObservation { time_ms, source, kind, id, position, values }))
            }
            REPORT => {
                let position = row.position()?;
                let area = Some(source).filter(|area| !area.is_empty());
                Some(Self::Report(LogReport { time_ms, id, class: kind, position, area }))
            }
            REJECT => Some(Self::Reject(kind)),
            MARKER => Some(Self::Marker(feed)),
            REPEAT => Some(Self::Repeat),
            _ => None,
        }
    }
}

/// Bytes read one after the other.
#[derive(Clone, Copy, Debug)]
struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    #[inline]
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    #[inline]
    fn skip(&mut self, length: usize) -> Option<()> {
        self.take(length).map(|_| ())
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.first_chunk::<N>().copied()
    }

    #[inline]
    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    #[inline]
    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// A length: seven bits in each byte, the lowest first.
    #[inline]
    fn length(&mut self) -> Option<usize> {
        let mut length = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.u8()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(length);
            }
        }
        None
    }

    #[inline]
    fn raw(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    /// Where a text lies.
    #[inline]
    fn span(&mut self) -> Option<(u32, u32)> {
        let length = self.raw()?.len();
        Some(((self.at - length) as u32, self.at as u32))
    }

    #[inline]
    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.raw()?).ok()
    }

    /// Outer: whether it can be read. Inner: whether there is one.
    #[inline]
    fn position(&mut self) -> Option<Option<Position>> {
        let lon = if self.u8()? == 0 { Some(f64::from_le_bytes(self.array()?)) } else { None };
        let lat = if self.u8()? == 0 { Some(f64::from_le_bytes(self.array()?)) } else { None };
        let accuracy_m = if self.u8()? == 0 { Some(f32::from_le_bytes(self.array()?)) } else { None };
        Some(lon.zip(lat).map(|(lon, lat)| Position { lon, lat, accuracy_m }))
    }
}
