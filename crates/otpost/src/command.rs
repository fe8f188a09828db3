//! What each word of the command line does.

mod audit;
mod check_config;
mod copy;
mod dev;
mod healthcheck;
mod init;
mod keys;
mod migrate;
mod moment;
mod outbox;
mod projects;
mod recipients;
mod secrets;
mod send_test_mail;
mod serve;
mod table;
mod templates;

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use otpost_domain::Address;
use otpost_mail::{Reading, Renderer, SmtpCourier};
use otpost_ports::{Actor, Vault};

use crate::Failure;
use crate::cli::{
    Cli, Command, DataArgs, KeyCommand, OutboxCommand, ProjectCommand, RecipientCommand,
    SecretsCommand, TemplateCommand,
};
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
        Command::Copy(args) => copy::run(&load(config)?, args).await,
        Command::Project { command } => project(config, command).await,
        Command::Key { command } => key(config, command).await,
        Command::Recipient { command } => recipient(config, command).await,
        Command::Template { command } => template(config, command),
        Command::Outbox { command } => outbox(config, command).await,
        Command::Audit(args) => {
            let base = base_of(config, &args.data).await?;
            audit::list(&base.audit(), &args).await
        }
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

async fn project(config: Option<PathBuf>, command: ProjectCommand) -> Result<(), Failure> {
    match command {
        ProjectCommand::Create { name, data } => {
            let base = base_of(config, &data).await?;
            projects::create(&base.keys(operator()), &name).await
        }
        ProjectCommand::List { data } => {
            let base = base_of(config, &data).await?;
            projects::list(&base.keys(operator())).await
        }
    }
}

async fn key(config: Option<PathBuf>, command: KeyCommand) -> Result<(), Failure> {
    match command {
        KeyCommand::Create(args) => {
            let base = base_of(config, &args.data).await?;
            keys::create(&base.keys(operator()), args).await
        }
        KeyCommand::List { data } => {
            let base = base_of(config, &data).await?;
            keys::list(&base.keys(operator())).await
        }
        KeyCommand::Revoke { id, data } => {
            let base = base_of(config, &data).await?;
            keys::revoke(&base.keys(operator()), &id).await
        }
    }
}

async fn recipient(config: Option<PathBuf>, command: RecipientCommand) -> Result<(), Failure> {
    match command {
        RecipientCommand::Show(args) => {
            let settings = settings_of(config.clone(), &args.data)?;
            let policies = compose::policies_from_settings(&settings);
            let base = base_of(config, &args.data).await?;
            recipients::show(&base.recipients(), operator(), &policies, &args).await
        }
        RecipientCommand::Release(args) => {
            let base = base_of(config, &args.data).await?;
            recipients::release(&base.recipients(), operator(), &args).await
        }
        RecipientCommand::Erase(args) => {
            let base = base_of(config, &args.data).await?;
            recipients::erase(&base.recipients(), operator(), &args).await
        }
    }
}

fn template(config: Option<PathBuf>, command: TemplateCommand) -> Result<(), Failure> {
    let settings = load(config)?;
    match command {
        TemplateCommand::List { project } => templates::list(&settings, project.as_deref()),
        TemplateCommand::Check { folder } => templates::check(&settings, folder.as_deref()),
        TemplateCommand::Preview(args) => templates::preview(&settings, &args),
    }
}

async fn outbox(config: Option<PathBuf>, command: OutboxCommand) -> Result<(), Failure> {
    match command {
        OutboxCommand::List(args) => {
            let base = base_of(config, &args.data).await?;
            outbox::list(&base.postmaster(), &args).await
        }
        OutboxCommand::Retry(which) => {
            let base = base_of(config, &which.data).await?;
            outbox::retry(&base.postmaster(), &which).await
        }
        OutboxCommand::Drop(which) => {
            let base = base_of(config, &which.data).await?;
            outbox::drop(&base.postmaster(), &which).await
        }
    }
}

/// Who gives commands here: the name of the account, and behind `sudo` of the one before it.
fn operator() -> Actor {
    let environment = settings::environment();
    let named = ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|variable| {
            let (_, name) = environment.iter().find(|(name, _)| name == variable)?;
            (!name.is_empty()).then(|| name.clone())
        });
    let numbered = || {
        let process = std::fs::metadata("/proc/self").ok()?;
        Some(format!("uid {}", process.uid()))
    };
    Actor::Operator(
        named
            .or_else(numbered)
            .unwrap_or_else(|| "unknown".to_owned()),
    )
}

/// An address that was given to a command; the refusal does not repeat it.
fn address(typed: &str) -> Result<Address, String> {
    Address::parse(typed).map_err(|error| format!("that is no address: {error}"))
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
    let database = compose::check_database(&settings.database);
    let vault = compose::vault_from_settings(&settings.secrets);
    let mails =
        compose::renderer_from_settings(settings, None, Reading::Once).and_then(|renderer| {
            let smtp = compose::smtp_from_settings(&settings.mail.relays, Arc::clone(&renderer));
            let smtp = smtp.map_err(|problem| Problems(vec![problem]))?;
            Ok((renderer, smtp))
        });
    match (database, vault, mails) {
        (Ok(()), Ok(vault), Ok((renderer, smtp))) => Ok(Prepared {
            vault,
            renderer,
            smtp,
        }),
        (database, vault, mails) => {
            let found = [database.err(), vault.err()].into_iter().flatten();
            let of_mails = mails
                .err()
                .map_or(Vec::new(), |Problems(problems)| problems);
            Err(Problems(found.chain(of_mails).collect()))
        }
    }
}

/// The configured database, or that of a development run.
async fn base_of(named: Option<PathBuf>, data: &DataArgs) -> Result<Base, Failure> {
    let (database, secrets) = if let Some(folder) = &data.data {
        dev::existing(folder)?
    } else {
        let settings = load(named)?;
        (settings.database, settings.secrets)
    };
    let vault =
        compose::vault_from_settings(&secrets).map_err(|problem| Problems(vec![problem]))?;
    Base::open(&database, vault).await
}

/// The settings that the service on that database has, as far as they can be known here.
fn settings_of(named: Option<PathBuf>, data: &DataArgs) -> Result<Settings, Problems> {
    match data.data {
        Some(_) => dev::settings(named),
        None => load(named),
    }
}
