//! The connection below SMTP, with two bounds that lettre does not have.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What a relay may say without being asked something again: more than any reply or TLS flight.
const UNASKED_MAX: usize = 128 * 1024;

/// A TCP stream that ends when the other side talks without end, and that reads nothing beyond
/// the answer to STARTTLS before TLS begins.
///
/// lettre reads ahead, and keeps what it read ahead when TLS begins. Whoever sits in the way
/// could put replies behind the "220" that would then count as the relay's own
/// (CVE-2011-0411 and its kin). Read byte by byte, they stay in the socket, where TLS finds them
/// and fails.
#[derive(Debug)]
pub(super) struct Guard {
    stream: TcpStream,
    unasked: usize,
    is_before_tls: bool,
}

impl Guard {
    pub(super) const fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            unasked: 0,
            is_before_tls: false,
        }
    }

    fn count(&mut self, read: usize) -> io::Result<()> {
        self.unasked += read;
        if self.unasked > UNASKED_MAX {
            return Err(io::Error::other("it talks without end"));
        }
        Ok(())
    }
}

impl AsyncTokioStream for Guard {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_before_tls {
            let mut byte = [0];
            let mut one = ReadBuf::new(&mut byte);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut one))?;
            buffer.put_slice(one.filled());
            return Poll::Ready(self.count(one.filled().len()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        Poll::Ready(self.count(buffer.filled().len() - before))
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if matches!(polled, Poll::Ready(Ok(_))) {
            self.unasked = 0;
            self.is_before_tls = bytes.starts_with(b"STARTTLS");
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
