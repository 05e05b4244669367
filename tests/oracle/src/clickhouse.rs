//! ClickHouse by plain HTTP: a query out, lines of tab-separated values in, one at a time.

use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// Where it is.
#[derive(Clone, Debug)]
pub(crate) struct ClickHouse {
    /// `host:port`.
    pub(crate) address: String,
    pub(crate) database: String,
}

impl ClickHouse {
    /// Asks, and hands out the columns of each row.
    pub(crate) fn rows(&self, query: &str, mut row: impl FnMut(&[&str]) -> Result<()>) -> Result<()> {
        let mut stream = TcpStream::connect(&self.address).context("ClickHouse does not answer")?;
        stream.set_read_timeout(Some(LIMIT))?;
        let (database, length) = (&self.database, query.len());
        write!(
            stream,
            "POST /?database={database} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{query}"
        )?;
        let mut input = BufReader::new(stream);
        let (status, chunked) = head(&mut input)?;
        let mut body: Box<dyn BufRead> =
            if chunked { Box::new(BufReader::new(Chunks { input, left: 0, over: false })) } else { Box::new(input) };
        if status != 200 {
            let mut words = String::new();
            body.read_to_string(&mut words)?;
            bail!("{query}: {status} {words}");
        }
        let mut line = String::new();
        while body.read_line(&mut line)? > 0 {
            let columns: Vec<&str> = line.trim_end_matches('\n').split('\t').collect();
            row(&columns).with_context(|| format!("{query}: {line}"))?;
            line.clear();
        }
        Ok(())
    }
}

/// Status, and whether the body comes in chunks.
fn head(input: &mut impl BufRead) -> Result<(u16, bool)> {
    let (mut line, mut status, mut chunked) = (String::new(), None, false);
    loop {
        line.clear();
        ensure!(input.read_line(&mut line)? > 0, "ClickHouse's answer has no head");
        let text = line.trim_end().to_ascii_lowercase();
        if text.is_empty() {
            return Ok((status.context("an answer without status")?, chunked));
        }
        if status.is_none() {
            status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
        }
        chunked |= text.starts_with("transfer-encoding:") && text.ends_with("chunked");
    }
}

/// A body in chunks.
struct Chunks<R> {
    input: R,
    left: usize,
    over: bool,
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 && !self.over {
            let mut line = String::new();
            // The end of the last chunk, then the length of this one.
            while line.trim().is_empty() {
                line.clear();
                if self.input.read_line(&mut line)? == 0 {
                    return Err(std::io::Error::other("the answer was cut off"));
                }
            }
            self.left = usize::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
            self.over = self.left == 0;
        }
        let most = buffer.len().min(self.left);
        let (wanted, _) = buffer.split_at_mut(most);
        let read = self.input.read(wanted)?;
        self.left -= read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_put_together() {
        let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\tb\r\n2\r\n\nc\r\n0\r\n\r\n";
        let mut input = &bytes[..];
        assert_eq!(head(&mut input).unwrap(), (200, true));
        let mut text = String::new();
        Chunks { input, left: 0, over: false }.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a\tb\nc");
        let cut = &b"5\r\nab"[..];
        assert!(Chunks { input: cut, left: 0, over: false }.read_to_string(&mut text).is_ok_and(|read| read == 2));
    }
}
