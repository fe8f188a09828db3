//! Running the HTTP server on sockets that are bound already.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use otpost_domain::{AddressRange, Limit};
use otpost_service::Otp;

use crate::app::{not_found, routes};
use crate::cors::{self, Origins};
use crate::dev::{self, Dev, DevInbox};
use crate::peers::Peers;
use crate::shell;
use crate::stop::Stop;

/// How long a client may take over the head of a request. With the next one, and as for the body,
/// a slow client holds a socket for ten seconds at most.
const HEAD_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a client may take to close a connection that the server has ended.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an idle connection stays open: longer than the 60 seconds that reverse proxies keep
/// theirs, so that no proxy writes into one that is being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// What to serve.
#[derive(Clone)]
pub struct Server {
    /// The use cases.
    pub otp: Arc<Otp>,
    /// Worker threads, at least 1.
    pub workers: usize,
    /// Origins whose browsers may call the API, such as `https://app.example.com`. None by
    /// default: a key is a secret of servers.
    pub cors_origins: Vec<String>,
    /// Requests of one peer that bring no valid key; a quota of 0 for no limit. Counted by this
    /// process alone.
    pub peer_limit: Limit,
    /// Reverse proxies whose `X-Forwarded-For` is believed. None by default: anyone can send it.
    pub trusted_proxies: Vec<AddressRange>,
    /// How long requests under way may go on once a stop is due. Judged once a second.
    pub finish_within: Duration,
    /// The routes of a development run. In production there are none.
    pub dev: Option<Dev>,
}

/// Serves on `listeners` until `stop` is due, and then until the requests under way are answered,
/// at most for [`Server::finish_within`].
///
/// From the announcement on, `/readyz` answers 503 and every answer closes its connection. So a
/// proxy leaves in time, and takes its connections with it: those on which nothing was asked until
/// the stop is due are closed then, also under a request that comes in that moment.
///
/// # Errors
///
/// When a listener cannot be used or the server breaks.
pub async fn serve(listeners: Vec<TcpListener>, server: Server, stop: Stop) -> io::Result<()> {
    // Apart, so that nothing of the application is held across an await: this future may be
    // spawned on any thread.
    let running = start(listeners, server, stop)?;
    running.await
}

fn start(
    listeners: Vec<TcpListener>,
    server: Server,
    stop: Stop,
) -> io::Result<actix_web::dev::Server> {
    let Server {
        otp,
        workers,
        cors_origins,
        peer_limit,
        trusted_proxies,
        finish_within,
        dev,
    } = server;
    let otp = Data::from(otp);
    let origins = Data::new(Origins::new(cors_origins));
    let peers = Data::new(Peers::new(peer_limit, trusted_proxies));
    let dev = dev.map(|dev| Data::new(DevInbox::new(dev, stop.announced().clone())));
    let due = stop.due().clone();
    let stop = Data::new(stop);
    let app = move || {
        let app = App::new()
            .app_data(otp.clone())
            .app_data(origins.clone())
            .app_data(peers.clone())
            .app_data(stop.clone())
            .configure(routes);
        let app = match &dev {
            Some(dev) => app.configure(|config| dev::routes(config, dev.clone())),
            None => app,
        };
        app.default_service(actix_web::web::to(not_found))
            .wrap(from_fn(cors::middleware))
            .wrap(from_fn(shell::middleware))
    };
    let mut http = HttpServer::new(app)
        .workers(workers.max(1))
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(finish_within.as_secs())
        .shutdown_signal(due.cancelled_owned());
    for listener in listeners {
        http = http.listen(listener)?;
    }
    Ok(http.run())
}
