//! A door between a stream and ClickHouse through which, while it is narrow, of all answers to one connection only the beginning comes: the
//! middle of reading the archive is then a place to wait at, and not a moment to be lucky with. All that passes is the real engine's.

use super::super::*;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// So many bytes come through a connection while it is narrow: more than a few slices of the archive, less than half of it. Nothing else
/// is so long.
const NARROW: usize = 1_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Narrow,
    Shut,
    Wide,
}

/// The door.
pub(super) struct Door {
    address: SocketAddr,
    way: Arc<watch::Sender<Way>>,
    held: Arc<AtomicUsize>,
}

/// A connection that goes through it.
struct Passage {
    way: watch::Receiver<Way>,
    held: Arc<AtomicUsize>,
}

/// Counts an answer that is held back, for as long as it is.
struct Held<'a>(&'a AtomicUsize);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Door {
    /// Opens a narrow door to the engine of these parts.
    pub(super) async fn narrow(parts: &Parts) -> Self {
        let engine = parts.clickhouse.url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("port");
        let address = listener.local_addr().expect("address");
        let door = Self { address, way: Arc::new(watch::Sender::new(Way::Narrow)), held: Arc::default() };
        let (way, held) = (Arc::clone(&door.way), Arc::clone(&door.held));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (way, held) = (way.subscribe(), Arc::clone(&held));
                // An engine that is away: the client sees its connection closed.
                if *way.borrow() != Way::Shut
                    && let Ok(server) = TcpStream::connect(&engine).await
                {
                    tokio::spawn(Passage { way, held }.go(client, server));
                }
            }
        });
        door
    }

    /// The parts behind it.
    pub(super) fn before(&self, parts: &Parts) -> Parts {
        let mut before = parts.clone();
        before.clickhouse.url = format!("http://{}", self.address);
        before
    }

    /// All of everything comes through from now on, what is held back first.
    pub(super) fn widen(&self) {
        self.way.send_replace(Way::Wide);
    }

    /// Nothing comes through from now on: what is held back never does.
    pub(super) fn shut(&self) {
        self.way.send_replace(Way::Shut);
    }

    /// Waits until so many answers have come through in part.
    pub(super) async fn until_held(&self, answers: usize) {
        wait::until_async("answers in their middle", SOON, || async {
            let held = self.held.load(Ordering::SeqCst);
            if held == answers { Ok(()) } else { Err(held.to_string()) }
        })
        .await;
    }
}

impl Passage {
    async fn go(self, client: TcpStream, server: TcpStream) {
        let mut way = self.way.clone();
        let (questions, answers_to) = client.into_split();
        let (answers, questions_to) = server.into_split();
        let passes = async {
            tokio::select! {
                () = self.questions(questions, questions_to) => {}
                () = self.answers(answers, answers_to) => {}
            }
        };
        // Whoever leaves closes both sides.
        tokio::select! {
            () = passes => {}
            _ = way.wait_for(|way| *way == Way::Shut) => {}
        }
    }

    async fn questions(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    }

    async fn answers(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let (mut buffer, mut passed) = (vec![0; 1 << 16], 0);
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            passed += length;
            if passed > NARROW {
                self.until_wide().await;
            }
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    }

    async fn until_wide(&self) {
        let mut way = self.way.clone();
        if *way.borrow() != Way::Wide {
            self.held.fetch_add(1, Ordering::SeqCst);
            let _held = Held(&self.held);
            way.wait_for(|way| *way == Way::Wide).await.ok();
        }
    }
}
