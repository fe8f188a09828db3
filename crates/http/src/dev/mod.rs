//! The inbox of a development run: captured messages as a page and as JSON.
//!
//! It asks for no API key, so it answers only to this machine, and production has none of it.

mod guard;
mod messages;
mod page;
mod query;

use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use otpost_service::{InboxReader, Message, MessageFilter, ServiceError};
use tokio_util::sync::CancellationToken;

use crate::app::{get, not_found, only, reads};

/// The inbox of a development run.
#[derive(Clone)]
pub struct Dev {
    /// The captured messages.
    pub inbox: InboxReader,
    /// The host that the operator chose to listen on, name or address, without a port. Requests
    /// under `/dev` for any other host but this machine itself are refused (DNS rebinding).
    pub host: String,
}

/// The inbox, and what its routes need beside it.
pub(crate) struct DevInbox {
    inbox: InboxReader,
    host: String,
    stop: CancellationToken,
}

impl DevInbox {
    pub(crate) fn new(Dev { inbox, host }: Dev, stop: CancellationToken) -> Self {
        Self { inbox, host, stop }
    }

    /// As [`InboxReader::list`], but nobody waits once the server stops.
    async fn list(
        &self,
        filter: &MessageFilter,
        wait: Duration,
    ) -> Result<Vec<Message>, ServiceError> {
        tokio::select! {
            found = self.inbox.list(filter, wait) => found,
            () = self.stop.cancelled() => self.inbox.list(filter, Duration::ZERO).await,
        }
    }

    /// As [`InboxReader::revision_after`], but nobody waits once the server stops.
    async fn revision_after(&self, seen: Option<u64>, wait: Duration) -> u64 {
        tokio::select! {
            revision = self.inbox.revision_after(seen, wait) => revision,
            () = self.stop.cancelled() => self.inbox.revision_after(None, wait).await,
        }
    }
}

/// Everything under `/dev`.
pub(crate) fn routes(config: &mut ServiceConfig, inbox: Data<DevInbox>) {
    let messages = web::resource("/inbox/messages")
        .route(reads().to(messages::list))
        .route(web::delete().to(messages::clear))
        .default_service(only("GET, HEAD, DELETE"));
    let routes = web::scope("/dev")
        .service(get("/inbox", page::html))
        .service(get("/inbox/inbox.css", page::css))
        .service(get("/inbox/inbox.js", page::js))
        .service(get("/inbox/revision", messages::revision))
        .service(messages)
        .service(get("/inbox/messages/{id}/html", messages::html))
        .default_service(web::to(not_found))
        .wrap(from_fn(guard::middleware));
    config.app_data(inbox).service(routes);
}
