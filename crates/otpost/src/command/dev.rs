//! `otpost dev`: everything in one folder, and an inbox in the browser.

mod banner;
mod data;
mod env_file;
mod keys;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use otpost_domain::ApiKey;
use otpost_http::Dev;
use otpost_mail::{CaptureInbox, Mailbox, Reading, Renderer};
use otpost_ports::Actor;
use otpost_service::InboxReader;

use self::banner::Banner;
use self::data::Data;
use crate::cli::DevArgs;
use crate::compose::{self, Base, Couriers, Plan};
use crate::listen::{listen, listen_nearby};
use crate::settings::{self, Database, Defaults, Listen, Problems, Secrets, Settings, Sources};
use crate::{Failure, logging, say, shutdown};

/// The sender where none is configured.
pub(super) const SENDER: &str = "otpost <no-reply@otpost.test>";

/// What a command needs to work on the database of the development run in `folder`.
pub(super) fn existing(folder: &Path) -> Result<(Database, Secrets), Failure> {
    let data = Data::existing(folder)?;
    Ok((data.database()?, data.secrets()?))
}

/// The settings of a development run.
pub(super) fn settings(config: Option<PathBuf>) -> Result<Settings, Problems> {
    let sources = Sources {
        file: settings::file(config, false),
        environment: settings::environment(),
    };
    Settings::load_over(&sources, &Defaults::of_development())
}

pub(super) async fn run(config: Option<PathBuf>, args: DevArgs) -> Result<(), Failure> {
    let settings = settings(config)?;
    logging::start(&settings.log)?;
    let (data, _lock) = Data::open(&args.data)?;
    let sender = Mailbox::parse(SENDER)?;
    let renderer = compose::renderer_from_settings(&settings, Some(&sender), Reading::Watching)?;
    let vault = compose::vault_from_settings(&data.secrets()?)
        .map_err(|problem| problem.in_file(&data.secrets_file()))?;
    let stop = shutdown::on_signals()?;
    if let Some(url) = &args.database {
        data.keep_database(url)?;
    }
    let base = Base::open(&data.database()?, vault).await?;
    let keys = keys::keep(&base.keys(actor()), &data.env_file()).await?;

    let listeners = match &args.listen {
        Some(place) => listen(place).await?,
        None => listen_nearby(&Settings::load(&Sources::default())?.server.listen).await?,
    };
    let place = place_of(&args, &listeners)?;
    let plan = plan(&settings, &data, renderer, &place, &keys.live)?;
    let banner = Banner {
        url: format!("http://{}", place.reachable()),
        keys: &keys,
        data: &data,
        settings: &settings,
    };
    env_file::write(&data.env_file(), &banner.url, &keys)?;
    say(&banner.to_string())?;

    compose::run(base, plan, listeners, stop).await?;
    say("\nStopped. The next start with the same folder goes on where this one ended.")
}

/// Who makes what a development run needs.
fn actor() -> Actor {
    Actor::Operator("otpost dev".to_owned())
}

fn plan(
    settings: &Settings,
    data: &Data,
    renderer: Arc<Renderer>,
    place: &Listen,
    key: &ApiKey,
) -> Result<Plan, Failure> {
    let inbox = CaptureInbox::open(&data.inbox_folder(), Arc::clone(&renderer))?;
    let inbox = Arc::new(inbox);
    Ok(Plan {
        policies: compose::policies_from_settings(settings),
        catalogues: renderer,
        test_keys: true,
        couriers: Couriers {
            live: Arc::<CaptureInbox>::clone(&inbox),
            test: Arc::<CaptureInbox>::clone(&inbox),
        },
        cors_origins: settings.server.cors_origins.clone(),
        peer_limit: settings.peer_limit,
        trusted_proxies: settings.server.trusted_proxies.clone(),
        workers: compose::workers_from_settings(settings),
        drain: Duration::ZERO,
        dev: Some(Dev {
            inbox: InboxReader::new(Arc::<CaptureInbox>::clone(&inbox)),
            preview: inbox,
            key: key.clone(),
            host: place.host.clone(),
        }),
    })
}

/// The host that was asked for, with the port that was had.
fn place_of(args: &DevArgs, listeners: &[std::net::TcpListener]) -> Result<Listen, Failure> {
    let listener = listeners.first().ok_or("there is nothing to listen on")?;
    let address = listener.local_addr()?;
    Ok(Listen {
        host: match &args.listen {
            Some(place) => place.host.clone(),
            None => address.ip().to_string(),
        },
        port: address.port(),
    })
}
