//! The command line: its words, and nothing of what they do.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};
use otpost_domain::{AddressRange, Permission, Permissions};
use secrecy::SecretString;

use crate::settings::Listen;

/// Proves that a person controls an e-mail address.
#[derive(Debug, Parser)]
#[command(
    name = "otpost",
    version,
    about,
    propagate_version = true,
    max_term_width = 100
)]
pub struct Cli {
    /// Configuration file [default: ./otpost.toml, else /etc/otpost/otpost.toml, where there is
    /// one]
    #[arg(
        long,
        global = true,
        env = "OTPOST_CONFIG",
        value_name = "PATH",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run with an inbox in the browser instead of a mail server; needs no configuration
    Dev(DevArgs),
    /// Run in production
    Serve,
    /// Write a configuration with fresh secrets
    Init {
        /// Where to write it; an existing file is never overwritten
        #[arg(long, value_name = "PATH", default_value = "otpost.toml")]
        output: PathBuf,
    },
    /// Make secrets
    Secrets {
        /// What to do with them.
        #[command(subcommand)]
        command: SecretsCommand,
    },
    /// Bring the database up to this program (`serve` and `dev` do so at their start)
    Migrate {
        /// Say what is there and what is missing, and change nothing
        #[arg(long)]
        status: bool,
    },
    /// Copy everything into another, empty database: from SQLite to PostgreSQL, or back
    ///
    /// Stop every node first: what is asked of one during the copy is answered with 503, and what
    /// is asked after it is not in the copy.
    ///
    /// The copy is all or nothing, and the old database stays as it is. Secrets are not in a
    /// database: the new one goes on with those of the configuration, and with no others.
    ///
    /// Others on this machine see what a command line says. A password has its place in PGPASSWORD,
    /// in ~/.pgpass, or in database.url.
    Copy(CopyArgs),
    /// Manage projects
    Project {
        /// What to do with them.
        #[command(subcommand)]
        command: ProjectCommand,
    },
    /// Manage API keys
    Key {
        /// What to do with them.
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Show, release and erase what is kept of a recipient
    Recipient {
        /// What to do with it.
        #[command(subcommand)]
        command: RecipientCommand,
    },
    /// Show, retry and drop mails that wait or failed
    Outbox {
        /// What to do with them.
        #[command(subcommand)]
        command: OutboxCommand,
    },
    /// List, check and preview the messages
    Template {
        /// What to do with them.
        #[command(subcommand)]
        command: TemplateCommand,
    },
    /// Show what was done with projects, keys and recipients, and by whom
    Audit(AuditArgs),
    /// Check the configuration as `serve` would, and touch nothing
    CheckConfig {
        /// Print the page that lists every setting
        #[arg(long, hide = true)]
        documentation: bool,
    },
    /// Send a message through the configured relays and say what became of it
    SendTestMail {
        /// To whom
        #[arg(long, value_name = "ADDRESS")]
        to: String,
    },
    /// Ask a running server whether it is ready: exit code 0, or 1
    Healthcheck {
        /// What to ask [default: /readyz where server.listen says]
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
}

/// How a development run is run.
#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Where to listen [default: 127.0.0.1:8080, or the next free port]
    #[arg(long, value_name = "HOST:PORT", value_parser = Listen::parse)]
    pub(crate) listen: Option<Listen>,
    /// Folder for database, keys and messages
    #[arg(long, value_name = "DIR", default_value = "otpost-data")]
    pub(crate) data: PathBuf,
    /// Keep sessions in this database, such as `postgres://localhost/otpost_dev`, instead of a file
    /// in the folder, which remembers it
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<SecretString>,
}

/// Which database a command works on.
#[derive(Clone, Debug, Args)]
pub(crate) struct DataArgs {
    /// Work on the database of `otpost dev --data DIR` instead of the configured one
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

/// What to do with secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// Print a fresh master key and a fresh index key
    New {
        /// Number of the master key: another one than those that there are
        #[arg(long, value_name = "N", default_value_t = 1,
              value_parser = clap::value_parser!(u32).range(1..))]
        number: u32,
    },
}

/// From where to where.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("where").required(true).multiple(true).args(["from", "to"])))]
pub(crate) struct CopyArgs {
    /// The database that is copied [default: database.url]
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<SecretString>,
    /// The empty database that it is copied to [default: database.url]
    #[arg(long, value_name = "URL")]
    pub(crate) to: Option<SecretString>,
}

/// What to do with projects.
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectCommand {
    /// Create a project
    Create {
        /// 1 to 32 lower-case letters, digits, hyphens and underscores
        name: String,
        /// Which database.
        #[command(flatten)]
        data: DataArgs,
    },
    /// List the projects
    List {
        /// Which database.
        #[command(flatten)]
        data: DataArgs,
    },
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Create a key and print it: it cannot be shown again
    Create(NewKeyArgs),
    /// List the keys, without the keys themselves
    List {
        /// Which database.
        #[command(flatten)]
        data: DataArgs,
    },
    /// Revoke a key for good
    Revoke {
        /// Its identifier, as `key list` shows it
        id: String,
        /// Which database.
        #[command(flatten)]
        data: DataArgs,
    },
}

/// A key to be made.
#[derive(Debug, Args)]
pub(crate) struct NewKeyArgs {
    /// Whose it will be
    #[arg(long, value_name = "NAME")]
    pub(crate) project: String,
    /// A test key: its sessions mail nothing and have a known code
    #[arg(long)]
    pub(crate) test: bool,
    /// What it may do: otp, admin, or both
    #[arg(long, value_name = "NAME", default_value = "otp", num_args = 1..,
          value_parser = permission)]
    pub(crate) permission: Vec<Permission>,
    /// Where it may be used from: addresses, or networks such as 10.0.0.0/8 [default: anywhere]
    #[arg(long, value_name = "RANGE", num_args = 1..)]
    pub(crate) allow_ip: Vec<AddressRange>,
    /// When it ends: 90d, 12h, 30m, 2027-01-31 (midnight UTC), or 2027-01-31T08:00:00Z
    /// [default: never]
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires: Option<String>,
    /// Which database.
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

fn permission(name: &str) -> Result<Permission, String> {
    [Permission::Otp, Permission::Admin]
        .into_iter()
        .find(|permission| permission.name() == name)
        .ok_or_else(|| format!("there are {}", Permissions::NAMES.join(" and ")))
}

/// What to do with a recipient.
#[derive(Debug, Subcommand)]
pub(crate) enum RecipientCommand {
    /// Show its wrong codes, whether it is on hold, and its sessions
    Show(RecipientArgs),
    /// Forgive its wrong codes, which ends a hold
    Release(RecipientArgs),
    /// Erase all that is kept of it, at once and for good
    Erase(RecipientArgs),
}

/// Which recipient, and where.
#[derive(Debug, Args)]
pub(crate) struct RecipientArgs {
    /// Its e-mail address, in any spelling of the mailbox
    pub(crate) address: String,
    /// In this project alone [default: in all of them]
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<String>,
    /// Which database.
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

/// What to do with mails.
#[derive(Debug, Subcommand)]
pub(crate) enum OutboxCommand {
    /// List the mails that wait or failed, the newest first
    List(OutboxListArgs),
    /// Make a mail due now, whether it waits or failed
    Retry(WhichMails),
    /// Give a mail up for good: it is never sent, and not listed any more
    Drop(WhichMails),
}

/// Which mails to list.
#[derive(Debug, Args)]
pub(crate) struct OutboxListArgs {
    /// Only mails that failed
    #[arg(long)]
    pub(crate) failed: bool,
    /// How many mails at most, the newest first
    #[arg(long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// Which database.
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

/// One mail, or all that failed.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["id", "all_failed"])))]
pub(crate) struct WhichMails {
    /// Its identifier, as `outbox list` and its Message-ID show it, or the first digits of it
    pub(crate) id: Option<String>,
    /// Every mail that failed
    #[arg(long)]
    pub(crate) all_failed: bool,
    /// Which database.
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

/// What to do with messages.
#[derive(Debug, Subcommand)]
pub(crate) enum TemplateCommand {
    /// List the templates with their languages, and where they are written
    List {
        /// Those of this project [default: of every project without settings of its own]
        #[arg(long, value_name = "NAME")]
        project: Option<String>,
    },
    /// Check texts and layouts: exit code 1, and a line `FILE:LINE: …` for each problem
    Check {
        /// The folder [default: every configured one]
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Print a message with sample values
    Preview(PreviewArgs),
}

/// Which message to print, and as what.
#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    /// The template
    pub(crate) name: String,
    /// The language, as a BCP 47 tag [default: that of the project]
    #[arg(long, value_name = "TAG")]
    pub(crate) language: Option<String>,
    /// As this project sends it [default: as every project without settings of its own]
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<String>,
    /// One of the caller's variables; may be given several times
    #[arg(long = "variable", value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) variables: Vec<(String, String)>,
    /// Print the text part, as without any of these three
    #[arg(long, group = "part")]
    pub(crate) text: bool,
    /// Print the HTML part
    #[arg(long, group = "part")]
    pub(crate) html: bool,
    /// Print the whole message as it goes to a relay
    #[arg(long, group = "part")]
    pub(crate) eml: bool,
    /// Write it to a file instead
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
}

fn variable(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// What to show of the audit log.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Only what was done with this recipient
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    /// How many entries at most, the newest first
    #[arg(long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// Which database.
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
