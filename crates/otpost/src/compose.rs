//! How the parts are built of settings, and how they run together. Read from top to bottom.

mod keys;
mod mails;
mod relays;
mod upkeep;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use otpost_crypto::OsEntropy;
use otpost_domain::{AddressRange, Limit};
use otpost_http::{Dev, Server, Stop};
use otpost_ports::{Actor, Clock, Courier, Entropy, Vault};
use otpost_service::{
    Audit, Catalogues, Janitor, KeyUses, Keys, Mailer, MailerSettings, Otp, Policies, Ports,
    Postmaster, Recipients, Slots,
};
use otpost_storage::Storage;
use tokio_util::sync::CancellationToken;

use crate::Failure;
use crate::clock::SystemClock;
use crate::settings::{Database, Problem, Settings};

pub(crate) use keys::vault_from_settings;
pub(crate) use mails::{renderer_from_settings, template_folders};
pub(crate) use relays::smtp_from_settings;
use upkeep::Upkeep;

/// After a stop is announced, everything has ended within this time, or is left as a crash would
/// leave it.
const STOP_WITHIN: Duration = Duration::from_millis(9_500);
/// After a stop is announced, requests and mails under way may go on for this time, the drain
/// included.
const FINISH_WITHIN: Duration = Duration::from_secs(8);

/// What every command stands on that touches the database.
#[derive(Clone)]
pub(crate) struct Base {
    /// The database.
    pub(crate) storage: Storage,
    /// The keys.
    pub(crate) vault: Arc<dyn Vault>,
    /// Random bytes.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Base {
    /// Opens the database and brings it up to this program.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or is of a newer program.
    pub(crate) async fn open(database: &Database, vault: Arc<dyn Vault>) -> Result<Self, Failure> {
        let storage = storage_from_settings(database, Arc::clone(&vault)).await?;
        for name in storage.migrate().await? {
            tracing::info!(name, "migrated");
        }
        Ok(Self {
            storage,
            vault,
            entropy: Arc::new(OsEntropy::new()),
            clock: Arc::new(SystemClock),
        })
    }

    /// Projects and keys, for `actor`.
    #[must_use]
    pub(crate) fn keys(&self, actor: Actor) -> Keys {
        Keys {
            store: Arc::new(self.storage.clone()),
            vault: Arc::clone(&self.vault),
            entropy: Arc::clone(&self.entropy),
            clock: Arc::clone(&self.clock),
            actor,
        }
    }

    /// What is kept of recipients.
    #[must_use]
    pub(crate) fn recipients(&self) -> Recipients {
        Recipients {
            store: Arc::new(self.storage.clone()),
            keys: Arc::new(self.storage.clone()),
            vault: Arc::clone(&self.vault),
            clock: Arc::clone(&self.clock),
        }
    }

    /// The mails that wait or failed.
    #[must_use]
    pub(crate) fn postmaster(&self) -> Postmaster {
        Postmaster {
            outbox: Arc::new(self.storage.clone()),
            clock: Arc::clone(&self.clock),
        }
    }

    /// The audit log.
    #[must_use]
    pub(crate) fn audit(&self) -> Audit {
        Audit {
            log: Arc::new(self.storage.clone()),
            vault: Arc::clone(&self.vault),
        }
    }
}

/// Opens the database as it is.
///
/// # Errors
///
/// When it cannot be opened.
pub(crate) async fn storage_from_settings(
    database: &Database,
    vault: Arc<dyn Vault>,
) -> Result<Storage, Failure> {
    let opened = Storage::connect(&database.storage(), vault).await;
    Ok(opened.map_err(|error| format!("database.url: {error}"))?)
}

/// Whether a database can be there. Nothing is opened or made.
///
/// # Errors
///
/// That no database can be there.
pub(crate) fn check_database(database: &Database) -> Result<(), Problem> {
    let checked = database.storage().check();
    checked.map_err(|error| Problem::about("database.url", format!("is refused: {error}")))
}

/// Who takes the mails.
#[derive(Clone)]
pub(crate) struct Couriers {
    /// Those of live keys.
    pub(crate) live: Arc<dyn Courier>,
    /// Those of test keys.
    pub(crate) test: Arc<dyn Courier>,
}

/// What is served, and how.
pub(crate) struct Plan {
    /// What callers may ask.
    pub(crate) policies: Policies,
    /// The messages that there are.
    pub(crate) catalogues: Arc<dyn Catalogues>,
    /// Whether test keys are accepted.
    pub(crate) test_keys: bool,
    /// Who takes the mails.
    pub(crate) couriers: Couriers,
    /// Origins of browsers that may call the API.
    pub(crate) cors_origins: Vec<String>,
    /// Requests of one peer without a valid key.
    pub(crate) peer_limit: Limit,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Vec<AddressRange>,
    /// Threads that serve requests.
    pub(crate) workers: usize,
    /// How long to serve on after a stop was announced, less than [`FINISH_WITHIN`].
    pub(crate) drain: Duration,
    /// The routes of a development run.
    pub(crate) dev: Option<Dev>,
}

/// Serves on `listeners` until `stop` is announced and the drain over; then requests under way are
/// answered, and mails that are not on their way are given back to the outbox.
///
/// # Errors
///
/// When the server cannot run.
pub(crate) async fn run(
    base: Base,
    plan: Plan,
    listeners: Vec<TcpListener>,
    stop: Stop,
) -> Result<(), Failure> {
    let finish_within = FINISH_WITHIN.saturating_sub(plan.drain);
    let mailer = mailer(&base, plan.couriers, finish_within);
    let janitor = Janitor {
        sessions: Arc::new(base.storage.clone()),
        clock: Arc::clone(&base.clock),
    };
    let upkeep = Upkeep {
        storage: base.storage.clone(),
        clock: Arc::clone(&base.clock),
    };
    let key_uses = Arc::new(KeyUses::new(Arc::new(base.storage.clone())));
    let otp = Otp::new(
        ports(&base),
        plan.policies,
        plan.catalogues,
        plan.test_keys,
        Arc::clone(&mailer.slots),
        Arc::clone(&key_uses),
    );
    let server = Server {
        otp: Arc::new(otp),
        workers: plan.workers,
        cors_origins: plan.cors_origins,
        peer_limit: plan.peer_limit,
        trusted_proxies: plan.trusted_proxies,
        finish_within,
        dev: plan.dev,
    };

    let serving = async {
        let ended = otpost_http::serve(listeners, server, stop.clone()).await;
        // A server that broke takes the workers with it: nobody would notice them alone.
        stop.end();
        ended
    };
    let parts = async {
        // Before the first request: a row that comes before its partition has to be moved there.
        tokio::select! {
            () = upkeep.round() => {}
            () = stop.due().cancelled() => {}
        }
        // Keys are used until the last request is answered: their last round comes after it.
        let last_answer = CancellationToken::new();
        let serving = async {
            let ended = serving.await;
            last_answer.cancel();
            ended
        };
        let (ended, (), (), (), (), ()) = tokio::join!(
            serving,
            drain(&stop, plan.drain),
            mailer.run(stop.due().clone()),
            janitor.run(stop.due().clone()),
            upkeep.run(stop.due().clone()),
            key_uses.run(last_answer.clone()),
        );
        base.storage.close().await;
        ended
    };
    tokio::select! {
        ended = parts => Ok(ended?),
        () = overdue(&stop) => {
            tracing::warn!("stopped while work was under way: it is taken up at the next start");
            Ok(())
        }
    }
}

fn ports(base: &Base) -> Ports {
    Ports {
        sessions: Arc::new(base.storage.clone()),
        keys: Arc::new(base.storage.clone()),
        recipients: Arc::new(base.storage.clone()),
        readiness: Arc::new(base.storage.clone()),
        vault: Arc::clone(&base.vault),
        entropy: Arc::clone(&base.entropy),
        clock: Arc::clone(&base.clock),
    }
}

fn mailer(base: &Base, couriers: Couriers, finish_within: Duration) -> Mailer {
    let settings = MailerSettings::default();
    let settings = MailerSettings {
        grace: settings.grace.min(finish_within),
        ..settings
    };
    Mailer {
        outbox: Arc::new(base.storage.clone()),
        vault: Arc::clone(&base.vault),
        entropy: Arc::clone(&base.entropy),
        clock: Arc::clone(&base.clock),
        live: couriers.live,
        test: couriers.test,
        slots: Arc::new(Slots::new(&settings)),
        settings,
    }
}

/// What callers of every project may ask.
#[must_use]
pub(crate) fn policies_from_settings(settings: &Settings) -> Policies {
    Policies {
        general: settings.policy.clone(),
        projects: settings
            .projects
            .iter()
            .map(|(name, project)| (name.clone(), project.policy.clone()))
            .collect(),
    }
}

/// Threads that serve requests: as set, or one a processor.
#[must_use]
pub(crate) fn workers_from_settings(settings: &Settings) -> usize {
    let set = settings
        .server
        .workers
        .and_then(|workers| usize::try_from(workers).ok());
    set.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Makes a stop due when it was announced for the time of the drain.
async fn drain(stop: &Stop, drain: Duration) {
    stop.announced().cancelled().await;
    tokio::select! {
        () = tokio::time::sleep(drain) => stop.end(),
        () = stop.due().cancelled() => {}
    }
}

async fn overdue(stop: &Stop) {
    stop.announced().cancelled().await;
    tokio::time::sleep(STOP_WITHIN).await;
}
