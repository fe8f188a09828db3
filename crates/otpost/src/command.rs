//! What each word of the command line does.

mod check_config;
mod dev;
mod healthcheck;
mod init;
mod keys;
mod migrate;
mod moment;
mod projects;
mod secrets;
mod send_test_mail;
mod serve;
mod table;

use std::path::PathBuf;
use std::sync::Arc;

use otpost_mail::{Renderer, SmtpCourier};
use otpost_ports::Vault;
use otpost_service::Keys;

use crate::Failure;
use crate::cli::{Cli, Command, DataArgs, KeyCommand, ProjectCommand, SecretsCommand};
use crate::compose::{self, Base};
use crate::settings::{self, Problems, Settings, Sources};

/// Does what the command line asks.
///
/// # Errors
///
/// Why it could not be done.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { config, command } = cli;
    // Before anything speaks TLS: with a second provider in the tree, rustls would have to guess.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::debug!("a provider of cryptography was installed before");
    }
    match command {
        Command::Dev(args) => dev::run(config, args).await,
        Command::Serve => serve::run(load(config)?).await,
        Command::Init { output } => init::run(&output),
        Command::Secrets {
            command: SecretsCommand::New { number },
        } => secrets::print_new(number),
        Command::Migrate { status: false } => migrate::up(&load(config)?).await,
        Command::Migrate { status: true } => migrate::status(&load(config)?).await,
        Command::Project { command } => match command {
            ProjectCommand::Create { name, data } => {
                projects::create(&keys_of(config, &data).await?, &name).await
            }
            ProjectCommand::List { data } => projects::list(&keys_of(config, &data).await?).await,
        },
        Command::Key { command } => match command {
            KeyCommand::Create(args) => {
                let keys = keys_of(config, &args.data).await?;
                keys::create(&keys, &args).await
            }
            KeyCommand::List { data } => keys::list(&keys_of(config, &data).await?).await,
            KeyCommand::Revoke { id, data } => {
                keys::revoke(&keys_of(config, &data).await?, &id).await
            }
        },
        Command::CheckConfig {
            documentation: true,
        } => Ok(print_documentation()?),
        Command::CheckConfig {
            documentation: false,
        } => check_config::run(config),
        Command::SendTestMail { to } => send_test_mail::run(&load(config)?, &to).await,
        Command::Healthcheck { url } => healthcheck::run(config, url).await,
    }
}

fn print_documentation() -> std::io::Result<()> {
    std::io::Write::write_all(&mut std::io::stdout(), settings::documentation().as_bytes())
}

fn sources(named: Option<PathBuf>) -> Sources {
    Sources {
        file: settings::file(named, true),
        environment: settings::environment(),
    }
}

fn load(named: Option<PathBuf>) -> Result<Settings, Problems> {
    Settings::load(&sources(named))
}

/// What `serve` is built of, beside the database.
struct Prepared {
    vault: Arc<dyn Vault>,
    renderer: Arc<Renderer>,
    smtp: SmtpCourier,
}

/// Builds all that needs no connection, and says at once all that is wrong with it.
fn prepare(settings: &Settings) -> Result<Prepared, Problems> {
    let database = compose::check_database_url(&settings.database.url);
    let vault = compose::vault_from_settings(&settings.secrets);
    let renderer = compose::renderer_from_settings(settings, None);
    let (renderer, smtp) = match renderer {
        Ok(renderer) => {
            let relays = &settings.mail.relays;
            (
                Ok(Arc::clone(&renderer)),
                compose::smtp_from_settings(relays, renderer),
            )
        }
        Err(problem) => (Err(problem.clone()), Err(problem)),
    };
    match (database, vault, renderer, smtp) {
        (Ok(()), Ok(vault), Ok(renderer), Ok(smtp)) => Ok(Prepared {
            vault,
            renderer,
            smtp,
        }),
        (database, vault, renderer, smtp) => {
            let found = [database.err(), vault.err(), renderer.err(), smtp.err()];
            let mut problems: Vec<_> = found.into_iter().flatten().collect();
            problems.dedup();
            Err(Problems(problems))
        }
    }
}

/// Projects and keys of the configured database, or of a development run's.
async fn keys_of(named: Option<PathBuf>, data: &DataArgs) -> Result<Keys, Failure> {
    let (url, secrets) = if let Some(folder) = &data.data {
        dev::existing(folder)?
    } else {
        let settings = load(named)?;
        (settings.database.url, settings.secrets)
    };
    let vault =
        compose::vault_from_settings(&secrets).map_err(|problem| Problems(vec![problem]))?;
    Ok(Base::open(&url, vault).await?.keys())
}
