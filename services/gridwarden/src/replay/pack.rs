//! Reads a whole file into events in the order of event time; rows with the same time keep the file's order.

use anyhow::{Context, Result};
use gridwarden_domain::{
    crs::Crs,
    decode::Decoder,
    mapping::{CsvRow, Format, Mapped, Mapping, Target},
    reject::{Code, Reason},
};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// A message ready to be sent.
#[derive(Debug, PartialEq)]
pub(super) struct Event {
    pub(super) time_ms: i64,
    pub(super) key: String,
    pub(super) payload: Vec<u8>,
}

/// A row that cannot be read.
#[derive(Debug)]
pub(super) struct Bad {
    pub(super) line: u64,
    pub(super) reason: Reason,
}

/// After how many rows it is said that reading goes on.
const SAY_EVERY: usize = 200_000;

/// How a file is read.
pub(super) struct Reading<'a> {
    /// Without one the lines are messages of the contract.
    pub(super) mapping: Option<&'a Mapping>,
    /// What the lines are when there is no mapping.
    pub(super) target: Target,
    /// Reference system of positions where neither message nor mapping names one.
    pub(super) default_crs: Crs,
    /// Hears how many rows were read.
    pub(super) progress: &'a dyn Fn(usize),
}

/// A file, read.
#[derive(Debug, Default)]
pub(super) struct Pack {
    pub(super) rows: usize,
    pub(super) events: Vec<Event>,
    pub(super) bad: Vec<Bad>,
}

impl Pack {
    /// Reads a file through its mapping, or as messages of the contract.
    pub(super) fn read(path: &Path, reading: &Reading<'_>) -> Result<Self> {
        let cannot = || format!("cannot read {}", path.display());
        let file = File::open(path).with_context(cannot)?;
        let mut pack = Self::default();
        match reading.mapping {
            Some(mapping) if mapping.format() == Format::Csv => {
                let mapping = mapping.clone().with_default_crs(reading.default_crs);
                pack.read_csv(file, &mapping, reading).with_context(cannot)?;
            }
            _ => pack.read_lines(file, reading).with_context(cannot)?,
        }
        pack.events.sort_by_key(|event| event.time_ms);
        Ok(pack)
    }

    fn add(&mut self, line: u64, read: Result<Event, Reason>, reading: &Reading<'_>) {
        self.rows += 1;
        match read {
            Ok(event) => self.events.push(event),
            Err(reason) => self.bad.push(Bad { line, reason }),
        }
        if self.rows.is_multiple_of(SAY_EVERY) {
            (reading.progress)(self.rows);
        }
    }

    fn read_csv(&mut self, file: impl Read, mapping: &Mapping, reading: &Reading<'_>) -> Result<()> {
        let mut builder = csv::ReaderBuilder::new();
        builder.flexible(true).delimiter(mapping.delimiter());
        let mut reader = builder.from_reader(BufReader::new(file));
        let header = reader.headers().context("line 1")?.clone();
        mapping.check_header(&header)?;
        let mut cells = csv::StringRecord::new();
        loop {
            let begin = reader.position().line();
            let (line, read) = match reader.read_record(&mut cells) {
                Ok(false) => return Ok(()),
                Ok(true) => (cells.position().map_or(begin, csv::Position::line), row(&header, &cells, mapping)),
                Err(error) if error.is_io_error() => return Err(error.into()),
                Err(error) => (error.position().map_or(begin, csv::Position::line), Err(unreadable(&header, &error))),
            };
            self.add(line, read, reading);
        }
    }

    fn read_lines(&mut self, file: impl Read, reading: &Reading<'_>) -> Result<()> {
        let mapping = reading.mapping.map(|mapping| mapping.clone().with_default_crs(reading.default_crs));
        let mut reader = BufReader::new(file);
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            if reader.read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            // Windows puts a mark of the byte order before the first line.
            let text = if line == 1 { bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes) } else { &bytes };
            let text = text.trim_ascii();
            if !text.is_empty() {
                let read = match &mapping {
                    Some(mapping) => mapping.map_json(text).and_then(event),
                    None => as_sent(text, reading),
                };
                self.add(line, read, reading);
            }
        }
        Ok(())
    }
}

fn row(header: &csv::StringRecord, cells: &csv::StringRecord, mapping: &Mapping) -> Result<Event, Reason> {
    if cells.len() != header.len() {
        let detail = format!("has {} cells, the header {}", cells.len(), header.len());
        return Err(Reason::new(Code::Malformed, "", detail));
    }
    mapping.map_csv(&CsvRow { header, cells }).and_then(event)
}

/// Why the CSV reader gave up a row.
fn unreadable(header: &csv::StringRecord, error: &csv::Error) -> Reason {
    if let csv::ErrorKind::Utf8 { err, .. } = error.kind() {
        let column = header.get(err.field()).unwrap_or_default();
        return Reason::new(Code::NotUtf8, "", format!("column `{column}` is not UTF-8"));
    }
    Reason::new(Code::Malformed, "", error.to_string())
}

/// A line that is a message of the contract already: checked, and sent as it stands.
fn as_sent(text: &[u8], reading: &Reading<'_>) -> Result<Event, Reason> {
    let (time_ms, key) = match reading.target {
        Target::Observations => {
            let decoder = Decoder::observations();
            let read = decoder.observation_in(text, reading.default_crs)?;
            (read.time_ms, read.source.into_owned())
        }
        Target::Reports => {
            let read = Decoder::reports().report_in(text, reading.default_crs)?;
            (read.time, read.id)
        }
    };
    Ok(Event { time_ms, key, payload: text.to_vec() })
}

fn event(mapped: Mapped) -> Result<Event, Reason> {
    let (time_ms, key, payload) = match &mapped {
        Mapped::Observation(read) => (read.time, read.source.clone(), serde_json::to_vec(read)),
        Mapped::Report(read) => (read.time, read.id.clone(), serde_json::to_vec(read)),
    };
    let payload = payload.map_err(|error| Reason::new(Code::Malformed, "", error.to_string()))?;
    Ok(Event { time_ms, key, payload })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;

    const ROWS: &str = "target = \"reports\"\nformat = \"csv\"\n[fields]\nid = \"nr\"\nchannel = { const = \"hotline\" }\n\
        class = { catalogue = { const = \"c\" }, kind = { const = \"event\" }, code = \"what\" }\n\
        time = { from = \"when\", time = \"epoch_s\" }\n";

    const PLAIN: Reading<'_> =
        Reading { mapping: None, target: Target::Observations, default_crs: Crs::Wgs84, progress: &|_| {} };

    fn csv(text: impl AsRef<[u8]>) -> Result<Pack> {
        let mut pack = Pack::default();
        pack.read_csv(text.as_ref(), &Mapping::parse(ROWS, "rows").expect("mapping"), &PLAIN)?;
        pack.events.sort_by_key(|event| event.time_ms);
        Ok(pack)
    }

    #[test]
    fn rows_come_in_the_order_of_event_time_and_bad_ones_are_kept() {
        let pack = csv("nr,when,what\nb,20,x\na,10,x\nc,soon,x\nd,10,\"two\nlines\"\ne,10\nf,10,y\n").expect("read");
        let keys: Vec<&str> = pack.events.iter().map(|event| event.key.as_str()).collect();
        assert_eq!(keys, ["a", "f", "b"]);
        assert_eq!((pack.rows, pack.bad.len()), (6, 3));
        let said: Vec<(u64, &str)> = pack.bad.iter().map(|bad| (bad.line, bad.reason.field.as_str())).collect();
        assert_eq!(said, [(4, "time"), (5, "class.code"), (7, "")]);
    }

    #[test]
    fn a_row_that_is_not_utf8_is_named_and_the_next_is_read() {
        let pack = csv(b"\xef\xbb\xbfnr,when,what\na,10,x\nb,20,\xd6\xd0\nc,30,x\n").expect("read");
        assert_eq!((pack.rows, pack.events.len()), (3, 2));
        let bad = &pack.bad[0];
        assert_eq!(
            (bad.line, bad.reason.code, bad.reason.detail.as_str()),
            (3, Code::NotUtf8, "column `what` is not UTF-8")
        );
    }

    #[test]
    fn positions_are_in_the_system_of_the_feed() {
        let line = br#"{"source":"s","kind":"k","time":1,"position":{"lon":121,"lat":31}}"#;
        let reading = Reading { default_crs: Crs::Gcj02, ..PLAIN };
        let mut pack = Pack::default();
        pack.read_lines(line.as_slice(), &reading).expect("read");
        let mapping = "target = \"observations\"\nformat = \"json\"\nfields = { source = \"source\", kind = \"kind\", \
            time = { from = \"time\", time = \"epoch_ms\" }, position = { lon = \"position.lon\", lat = \"position.lat\" } }";
        let mapping = Mapping::parse(mapping, "m").expect("mapping");
        let reading = Reading { mapping: Some(&mapping), ..reading };
        pack.read_lines(line.as_slice(), &reading).expect("read");
        let crs = |payload: &[u8]| serde_json::from_slice::<serde_json::Value>(payload).expect("JSON")["crs"].clone();
        assert_eq!(
            (pack.bad.len(), crs(&pack.events[0].payload), crs(&pack.events[1].payload)),
            (0, serde_json::Value::Null, "GCJ-02".into())
        );
    }

    #[test]
    fn a_missing_column_is_said_before_anything_is_sent() {
        let fault = csv("nr,when\na,1\n").expect_err("no such column").to_string();
        assert_eq!(fault, "mapping rows: fields.class.code: there is no column `what`");
    }

    #[test]
    fn lines_of_the_contract_are_sent_as_they_stand() {
        let lines = "\u{feff}{\"source\":\"s\",\"kind\":\"k\",\"time\":2}\n\nnonsense\n {\"time\":1,\"kind\":\"k\",\"source\":\"r\"} \n";
        let mut pack = Pack::default();
        pack.read_lines(lines.as_bytes(), &PLAIN).expect("read");
        assert_eq!((pack.rows, pack.bad[0].line), (3, 3));
        assert_eq!(
            pack.events[1],
            Event {
                time_ms: 1,
                key: "r".to_owned(),
                payload: b"{\"time\":1,\"kind\":\"k\",\"source\":\"r\"}".to_vec()
            }
        );
    }
}
