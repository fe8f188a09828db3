//! What a development run shows in the browser, beside the API: the inbox as a page and as JSON,
//! how every message will look, and a sign-in form to try.
//!
//! None of it asks for an API key, so it answers only to this machine, and production has none of
//! it.

mod guard;
mod messages;
mod page;
mod query;
mod sign_in;
mod templates;

use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use otpost_domain::ApiKey;
use otpost_service::{InboxReader, Message, MessageFilter, Preview, ServiceError};
use tokio_util::sync::CancellationToken;

use self::sign_in::SignIn;
use crate::app::{get, not_found, only, post, reads};

/// What a development run needs beside the API.
#[derive(Clone)]
pub struct Dev {
    /// The captured messages.
    pub inbox: InboxReader,
    /// How messages look before anybody asks for one.
    pub preview: Arc<dyn Preview>,
    /// The key that the sign-in form calls with. It never reaches the browser.
    pub key: ApiKey,
    /// The host that the operator chose to listen on, name or address, without a port. Requests
    /// under `/dev` for any other host but this machine itself are refused (DNS rebinding).
    pub host: String,
}

/// What the routes share.
pub(crate) struct DevInbox {
    inbox: InboxReader,
    preview: Arc<dyn Preview>,
    sign_in: SignIn,
    host: String,
    stop: CancellationToken,
}

impl DevInbox {
    pub(crate) fn new(dev: Dev, stop: CancellationToken) -> Self {
        let Dev {
            inbox,
            preview,
            key,
            host,
        } = dev;
        Self {
            inbox,
            preview,
            sign_in: SignIn::new(key),
            host,
            stop,
        }
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
    let message = web::resource("/inbox/messages/{id}")
        .route(web::delete().to(messages::remove))
        .default_service(only("DELETE"));
    let routes = web::scope("/dev")
        .service(get("/assets/{name}", page::asset))
        .service(get("/inbox", page::inbox))
        .service(get("/inbox/revision", messages::revision))
        .service(messages)
        .service(message)
        .service(get("/inbox/messages/{id}/html", messages::html))
        .service(get("/inbox/messages/{id}/source", messages::source))
        .service(get("/templates", page::templates))
        .service(get("/templates/list", templates::list))
        .service(get("/templates/message", templates::message))
        .service(get("/templates/html", templates::html))
        .service(get("/templates/source", templates::source))
        .service(get("/try", sign_in::start))
        .service(post("/try/send", sign_in::send))
        .service(get("/try/code", sign_in::code))
        .service(post("/try/verify", sign_in::verify))
        .service(post("/try/resend", sign_in::resend))
        .service(get("/try/done", sign_in::done))
        .default_service(web::to(not_found))
        .wrap(from_fn(guard::middleware));
    config.app_data(inbox).service(routes);
}
