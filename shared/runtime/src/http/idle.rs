//! Connections that nobody uses are closed: a client that lost its network never says goodbye, and each one that is only
//! remembered costs a file descriptor until there is none left.

use axum::serve::Listener;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};

/// Accepts connections that end when no byte has gone either way for some time.
pub(super) struct Patient {
    listener: TcpListener,
    patience: Duration,
}

impl Patient {
    pub(super) fn new(listener: TcpListener, patience: Duration) -> Self {
        Self { listener, patience }
    }
}

impl Listener for Patient {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Answers and events are written whole; waiting for more would only delay them.
        stream.set_nodelay(true).ok();
        (Connection::new(stream, self.patience), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that loses its patience.
pub(super) struct Connection {
    stream: TcpStream,
    patience: Duration,
    end: Pin<Box<Sleep>>,
}

impl Connection {
    fn new(stream: TcpStream, patience: Duration) -> Self {
        Self { stream, patience, end: Box::pin(tokio::time::sleep(patience)) }
    }

    /// Bytes went: the wait begins anew. Nothing went: ends once the wait is over.
    fn progress<T>(&mut self, context: &mut Context<'_>, went: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match went {
            Poll::Ready(outcome) => {
                self.end.as_mut().reset(Instant::now() + self.patience);
                Poll::Ready(outcome)
            }
            Poll::Pending => {
                ready!(self.end.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let went = Pin::new(&mut self.stream).poll_read(context, into);
        self.progress(context, went)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let went = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.progress(context, went)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let went = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.progress(context, went)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, routing};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn served(patience: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = listener.local_addr().expect("address");
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            "yes"
        };
        let routes = Router::new().route("/", routing::get(slow));
        tokio::spawn(axum::serve(Patient::new(listener, patience), routes).into_future());
        address
    }

    #[tokio::test]
    async fn who_says_nothing_is_let_go_and_who_asks_is_not() {
        let address = served(Duration::from_millis(400)).await;
        let mut silent = TcpStream::connect(address).await.expect("connection");
        let mut half = TcpStream::connect(address).await.expect("connection");
        half.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await.expect("half a request");
        let mut asking = TcpStream::connect(address).await.expect("connection");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(900) {
            asking.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a request");
            let mut answer = [0; 1024];
            let length = asking.read(&mut answer).await.expect("an answer");
            assert!(answer[..length].starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&answer[..length]));
        }
        for mut quiet in [silent.split().0, half.split().0] {
            let end = tokio::time::timeout(Duration::from_secs(5), quiet.read(&mut [0; 16])).await;
            assert!(matches!(end, Ok(Ok(0) | Err(_))), "the connection is still open: {end:?}");
        }
    }
}
