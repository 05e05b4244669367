//! The one question asked of the broker here: "which brokers are there?" (Metadata, version 4, no topics). A broker names
//! itself only once it takes requests, which an open port does not tell. Real clients are `bus`'s.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

const METADATA: i16 = 3;
const VERSION: i16 = 4;
const TIMEOUT: Duration = Duration::from_millis(1000);

/// Whether a broker on this port of 127.0.0.1 answers and names at least one broker.
pub fn answers(port: u16) -> bool {
    ask(port).unwrap_or(0) > 0
}

fn request() -> Vec<u8> {
    let client = b"gridwarden";
    let mut body = Vec::new();
    body.extend(METADATA.to_be_bytes());
    body.extend(VERSION.to_be_bytes());
    body.extend(1_i32.to_be_bytes()); // correlation
    body.extend((client.len() as i16).to_be_bytes());
    body.extend(client);
    body.extend(0_i32.to_be_bytes()); // no topics
    body.push(0); // create none
    let mut frame = (body.len() as i32).to_be_bytes().to_vec();
    frame.extend(body);
    frame
}

fn ask(port: u16) -> std::io::Result<i32> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(&request())?;
    // Length, correlation, throttle time, number of brokers.
    let mut head = [0; 16];
    stream.read_exact(&mut head)?;
    Ok(brokers(head))
}

fn brokers(head: [u8; 16]) -> i32 {
    let [.., a, b, c, d] = head;
    i32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_says_its_length() {
        let frame = request();
        assert_eq!(frame[..4], ((frame.len() - 4) as i32).to_be_bytes());
        assert_eq!(frame[4..8], [0, 3, 0, 4]);
    }

    #[test]
    fn the_number_of_brokers_is_the_fourth_word() {
        assert_eq!(brokers([0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]), 2);
    }

    #[test]
    fn nobody_there_is_no() {
        let port = super::super::KafkaPorts::free().expect("ports").client;
        assert!(!answers(port));
    }
}
