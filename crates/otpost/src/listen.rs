//! Sockets to listen on.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use tokio::net::TcpSocket;

use crate::Failure;
use crate::settings::Listen;

/// Connections that wait to be accepted; the kernel has its own bound too.
const BACKLOG: u32 = 1024;

/// Listens on every address of `place`; on the first alone where its port is 0.
///
/// # Errors
///
/// Names the address that cannot be listened on.
pub(crate) async fn listen(place: &Listen) -> Result<Vec<TcpListener>, Failure> {
    let listeners = try_listen(place).await;
    Ok(listeners.map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::AddrInUse => ": another program does; choose another port",
            _ => "",
        };
        format!("cannot listen on {place} ({error}){hint}")
    })?)
}

/// As [`listen`], on the first port from that of `place` on that nobody listens on.
///
/// # Errors
///
/// As [`listen`].
pub(crate) async fn listen_nearby(place: &Listen) -> Result<Vec<TcpListener>, Failure> {
    for port in place.port..place.port.saturating_add(100) {
        let nearby = Listen {
            port,
            ..place.clone()
        };
        match try_listen(&nearby).await {
            Ok(listeners) => return Ok(listeners),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(_) => break,
        }
    }
    listen(place).await
}

async fn try_listen(place: &Listen) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    let mut missing = None;
    for address in tokio::net::lookup_host((place.host.as_str(), place.port)).await? {
        match bind(address) {
            Ok(listener) => listeners.push(listener),
            // A name such as localhost may have an address that this machine has not.
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => missing = Some(error),
            Err(error) => return Err(error),
        }
        if place.port == 0 && !listeners.is_empty() {
            break;
        }
    }
    match (listeners.is_empty(), missing) {
        (false, _) => Ok(listeners),
        (true, Some(error)) => Err(error),
        (true, None) => Err(io::Error::new(
            ErrorKind::NotFound,
            "the host has no address",
        )),
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart must not wait until the connections of the last run are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}
