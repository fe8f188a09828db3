//! The end of a run: on ctrl-c and on SIGTERM.

use std::io;

use otpost_http::Stop;
use tokio::signal::unix::{SignalKind, signal};

/// A stop that is announced by the first ctrl-c or SIGTERM, and due with the second at the latest.
/// From this call on, neither of them ends the process by itself.
///
/// # Errors
///
/// When the signals cannot be listened to.
pub(crate) fn on_signals() -> io::Result<Stop> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = Stop::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        tracing::info!("stopping");
        asked.announce();
        next().await;
        asked.end();
    });
    Ok(stop)
}
