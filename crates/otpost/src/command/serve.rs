//! `otpost serve`

use std::sync::Arc;

use otpost_mail::DiscardCourier;
use otpost_ports::KeyStore as _;

use super::Prepared;
use crate::compose::{self, Base, Couriers, Plan};
use crate::listen::listen;
use crate::settings::Settings;
use crate::{Failure, logging, shutdown};

pub(super) async fn run(settings: Settings) -> Result<(), Failure> {
    logging::start(&settings.log)?;
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let Prepared {
        vault,
        renderer,
        smtp,
    } = super::prepare(&settings)?;
    let stop = shutdown::on_signals()?;
    let base = Base::open(&settings.database, vault).await?;
    warn_of_unknown_projects(&base, &settings).await?;
    let plan = Plan {
        policies: compose::policies_from_settings(&settings),
        catalogues: renderer,
        test_keys: settings.server.test_keys,
        couriers: Couriers {
            live: Arc::new(smtp),
            test: Arc::new(DiscardCourier),
        },
        workers: compose::workers_from_settings(&settings),
        cors_origins: settings.server.cors_origins,
        peer_limit: settings.peer_limit,
        trusted_proxies: settings.server.trusted_proxies,
        drain: settings.server.drain,
        dev: None,
    };
    let listeners = listen(&settings.server.listen).await?;
    for listener in &listeners {
        tracing::info!(address = %listener.local_addr()?, "listening");
    }
    compose::run(base, plan, listeners, stop).await?;
    tracing::info!("stopped");
    Ok(())
}

/// A project that is configured and was never created has a typing error in its name, or no key.
async fn warn_of_unknown_projects(base: &Base, settings: &Settings) -> Result<(), Failure> {
    let created = base.storage.projects().await?;
    for name in settings.projects.keys() {
        if !created.iter().any(|project| project.name == *name) {
            tracing::warn!(
                project = %name,
                "this project has settings and does not exist: `otpost project create` makes it"
            );
        }
    }
    Ok(())
}
