//! Opens the connections to PostgreSQL: one pool, for every connection may write.

use std::time::Duration;

use sea_orm::Database;
use sea_orm::sqlx::postgres::PgConnectOptions;

use super::health::{Health, refuse_read_only};
use super::{Connections, options, text, version};
use crate::batch::Place;
use crate::engine::Engine;
use crate::location::postgres::Server;
use crate::server_settings::{ISOLATION, SETTINGS};
use crate::{ConnectError, Settings};

/// How long a caller waits in line for a connection. The line is one for all that this node asks;
/// what a server takes for a commit may be several times what a disk does.
const LINE: Duration = Duration::from_millis(1_500);

/// How old a connection gets: what a server keeps for one grows.
const AGE_MAX: Duration = Duration::from_mins(30);

pub(super) async fn connect(
    settings: &Settings,
    server: Server,
) -> Result<Connections, ConnectError> {
    if server.is_unproven() {
        tracing::warn!(
            "the database is on another host, and any machine between could pass for it: \
             set sslmode=verify-full in database.url"
        );
    }
    let has_pooler = settings.has_pooler;
    let mut options = options(&settings.url, settings.connections_max);
    let health = Health::default();
    options
        .acquire_timeout(LINE)
        .test_before_acquire(false)
        .map_sqlx_postgres_opts(move |options| session(options, &server, has_pooler))
        .map_sqlx_postgres_pool_opts(move |options| {
            let (before, after) = (health.clone(), health.clone());
            options
                .after_connect(|connection, _| Box::pin(refuse_read_only(connection)))
                .before_acquire(move |connection, times| {
                    let health = before.clone();
                    Box::pin(async move { health.before_use(connection, times.idle_for).await })
                })
                .after_release(move |connection, times| {
                    let health = after.clone();
                    Box::pin(async move {
                        Ok(times.age < AGE_MAX && health.after_use(connection).await?)
                    })
                })
        });
    let connections = Database::connect(options).await?;
    let engine = Engine::Postgres { has_pooler };
    let transaction = engine.transaction(&connections).await?;
    let found = text(&transaction, "SHOW server_version_num").await?;
    drop(transaction);
    if !version::is_new_enough_postgres(&found) {
        return Err(ConnectError::ServerTooOld { found });
    }
    Ok(Connections {
        engine,
        writer: connections.clone(),
        batches: Place::Server {
            connections: connections.clone(),
            has_pooler,
        },
        reader: connections,
    })
}

/// `options` with what a session of the server is told. A pooler passes no such word on, and knows
/// no prepared statement from one transaction to the next.
fn session(options: PgConnectOptions, server: &Server, has_pooler: bool) -> PgConnectOptions {
    let mut options = options.ssl_mode(server.options.get_ssl_mode());
    if server.options.get_application_name().is_none() {
        options = options.application_name("otpost");
    }
    if has_pooler {
        // It refuses what it does not know, and nothing here is a fraction.
        options.statement_cache_capacity(0).extra_float_digits(None)
    } else {
        options
            .options(SETTINGS)
            .options([("default_transaction_isolation", ISOLATION)])
    }
}
