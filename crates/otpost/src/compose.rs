//! How the parts are built of settings, and how they run together. Read from top to bottom.

mod keys;
mod mails;
mod relays;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use otpost_crypto::OsEntropy;
use otpost_domain::{AddressRange, Limit};
use otpost_http::{Dev, Server};
use otpost_ports::{Actor, Clock, Courier, Entropy, Vault};
use otpost_service::{
    Audit, Catalogues, Janitor, KeyUses, Keys, Mailer, MailerSettings, Otp, Policies, Ports,
    Postmaster, Recipients,
};
use otpost_storage::Storage;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::Failure;
use crate::clock::SystemClock;
use crate::settings::{Problem, Settings};

pub(crate) use keys::vault_from_settings;
pub(crate) use mails::{renderer_from_settings, template_folders};
pub(crate) use relays::smtp_from_settings;

/// After a stop, everything has ended within this time, or is left as a crash would leave it.
const STOP_WITHIN: Duration = Duration::from_millis(9_500);

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
    /// Opens the database at `url` and brings it up to this program.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, or is of a newer program.
    pub(crate) async fn open(url: &SecretString, vault: Arc<dyn Vault>) -> Result<Self, Failure> {
        let storage = storage_from_url(url, Arc::clone(&vault)).await?;
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

/// Opens the database at `url` as it is.
///
/// # Errors
///
/// When it cannot be opened.
pub(crate) async fn storage_from_url(
    url: &SecretString,
    vault: Arc<dyn Vault>,
) -> Result<Storage, Failure> {
    let opened = Storage::connect(&storage_settings(url), vault).await;
    Ok(opened.map_err(|error| format!("database.url: {error}"))?)
}

/// Whether a database can be at `url`. Nothing is opened or made.
///
/// # Errors
///
/// That no database can be there.
pub(crate) fn check_database_url(url: &SecretString) -> Result<(), Problem> {
    let checked = storage_settings(url).check();
    checked.map_err(|error| Problem::about("database.url", format!("is refused: {error}")))
}

fn storage_settings(url: &SecretString) -> otpost_storage::Settings {
    otpost_storage::Settings {
        url: url.expose_secret().to_owned(),
    }
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
    /// The routes of a development run.
    pub(crate) dev: Option<Dev>,
}

/// Serves on `listeners` until `stop`; then requests under way are answered, and mails that are
/// not on their way are given back to the outbox.
///
/// # Errors
///
/// When the server cannot run.
pub(crate) async fn run(
    base: Base,
    plan: Plan,
    listeners: Vec<TcpListener>,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let mail_queued = Arc::new(Notify::new());
    let mailer = mailer(&base, plan.couriers, Arc::clone(&mail_queued));
    let janitor = Janitor {
        sessions: Arc::new(base.storage.clone()),
        clock: Arc::clone(&base.clock),
    };
    let key_uses = Arc::new(KeyUses::new(Arc::new(base.storage.clone())));
    let otp = Otp::new(
        ports(&base),
        plan.policies,
        plan.catalogues,
        plan.test_keys,
        mail_queued,
        Arc::clone(&key_uses),
    );
    let server = Server {
        otp: Arc::new(otp),
        workers: plan.workers,
        cors_origins: plan.cors_origins,
        peer_limit: plan.peer_limit,
        trusted_proxies: plan.trusted_proxies,
        dev: plan.dev,
    };

    let serving = async {
        let ended = otpost_http::serve(listeners, server, stop.clone()).await;
        // A server that broke takes the workers with it: nobody would notice them alone.
        stop.cancel();
        ended
    };
    let parts = async {
        // Keys are used until the last request is answered: their last round comes after it.
        let last_answer = CancellationToken::new();
        let serving = async {
            let ended = serving.await;
            last_answer.cancel();
            ended
        };
        let (ended, (), (), ()) = tokio::join!(
            serving,
            mailer.run(stop.clone()),
            janitor.run(stop.clone()),
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

fn mailer(base: &Base, couriers: Couriers, mail_queued: Arc<Notify>) -> Mailer {
    Mailer {
        outbox: Arc::new(base.storage.clone()),
        vault: Arc::clone(&base.vault),
        entropy: Arc::clone(&base.entropy),
        clock: Arc::clone(&base.clock),
        live: couriers.live,
        test: couriers.test,
        mail_queued,
        settings: MailerSettings::default(),
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

async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(STOP_WITHIN).await;
}
