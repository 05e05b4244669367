//! Reads a whole file into events in the order of event time; rows with the same time keep the file's order.

use anyhow::{Context, Result};
use gridwarden_domain::{
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

/// A file, read.
#[derive(Debug, Default)]
pub(super) struct Pack {
    pub(super) rows: usize,
    pub(super) events: Vec<Event>,
    pub(super) bad: Vec<Bad>,
}

impl Pack {
    /// Reads a file through its mapping, or as messages of the contract.
    pub(super) fn read(path: &Path, mapping: Option<&Mapping>, target: Target) -> Result<Self> {
        let cannot = || format!("cannot read {}", path.display());
        let file = File::open(path).with_context(cannot)?;
        let mut pack = Self::default();
        match mapping {
            Some(mapping) if mapping.format() == Format::Csv => pack.read_csv(file, mapping).with_context(cannot)?,
            _ => pack.read_lines(file, mapping, target).with_context(cannot)?,
        }
        pack.events.sort_by_key(|event| event.time_ms);
        Ok(pack)
    }

    fn add(&mut self, line: u64, read: Result<Event, Reason>) {
        self.rows += 1;
        match read {
            Ok(event) => self.events.push(event),
            Err(reason) => self.bad.push(Bad { line, reason }),
        }
    }

    fn read_csv(&mut self, file: impl Read, mapping: &Mapping) -> Result<()> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(BufReader::new(file));
        let header = reader.headers()?.clone();
        mapping.check_header(&header)?;
        let mut cells = csv::StringRecord::new();
        loop {
            let line = reader.position().line();
            let malformed = |detail: String| Reason::new(Code::Malformed, "", detail);
            let read = match reader.read_record(&mut cells) {
                Ok(false) => return Ok(()),
                Ok(true) if cells.len() != header.len() => {
                    Err(malformed(format!("has {} cells, the header {}", cells.len(), header.len())))
                }
                Ok(true) => mapping.map_csv(&CsvRow { header: &header, cells: &cells }).and_then(event),
                Err(error) if error.is_io_error() => return Err(error.into()),
                Err(error) => Err(malformed(error.to_string())),
            };
            self.add(cells.position().map_or(line, csv::Position::line), read);
        }
    }

    fn read_lines(&mut self, file: impl Read, mapping: Option<&Mapping>, target: Target) -> Result<()> {
        let mut reader = BufReader::new(file);
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            if reader.read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            let text = bytes.trim_ascii();
            if !text.is_empty() {
                let read = match mapping {
                    Some(mapping) => mapping.map_json(text).and_then(event),
                    None => as_sent(text, target),
                };
                self.add(line, read);
            }
        }
        Ok(())
    }
}

/// A line that is a message of the contract already: checked, and sent as it stands.
fn as_sent(text: &[u8], target: Target) -> Result<Event, Reason> {
    let (time_ms, key) = match target {
        Target::Observations => {
            let decoder = Decoder::observations();
            let read = decoder.observation(text)?;
            (read.time_ms, read.source.into_owned())
        }
        Target::Reports => {
            let read = Decoder::reports().report(text)?;
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

    fn csv(text: &str) -> Result<Pack> {
        let mut pack = Pack::default();
        pack.read_csv(text.as_bytes(), &Mapping::parse(ROWS, "rows").expect("mapping"))?;
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
    fn a_missing_column_is_said_before_anything_is_sent() {
        let fault = csv("nr,when\na,1\n").expect_err("no such column").to_string();
        assert_eq!(fault, "mapping rows: fields.class.code: there is no column `what`");
    }

    #[test]
    fn lines_of_the_contract_are_sent_as_they_stand() {
        let lines = "{\"source\":\"s\",\"kind\":\"k\",\"time\":2}\n\nnonsense\n {\"time\":1,\"kind\":\"k\",\"source\":\"r\"} \n";
        let mut pack = Pack::default();
        pack.read_lines(lines.as_bytes(), None, Target::Observations).expect("read");
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
