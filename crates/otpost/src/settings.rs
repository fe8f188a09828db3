//! The configuration: built-in defaults, a TOML file and the environment, in this order.

mod database;
mod defaults;
mod documentation;
mod known;
mod layers;
mod limits;
mod log;
mod mail;
mod policy;
mod problem;
mod projects;
mod reader;
mod secrets;
mod server;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use otpost_domain::{Limit, ProjectName};
use otpost_service::Policy;

pub(crate) use database::Database;
pub(crate) use defaults::Defaults;
pub(crate) use documentation::documentation;
pub(crate) use layers::Sources;
pub(crate) use limits::{PEER, quotas};
pub(crate) use log::{Format, Log};
pub(crate) use mail::{Mail, Relay, Sending};
pub(crate) use problem::{Problem, Problems};
pub(crate) use projects::Project;
pub(crate) use secrets::Secrets;
pub(crate) use server::{Listen, Server};

use layers::Layers;
use reader::Reader;

/// Every setting, read and checked one by one. Whether they are enough to serve, and whether the
/// keys are good ones, is judged where the parts are built of them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `[server]`
    pub(crate) server: Server,
    /// `[database]`
    pub(crate) database: Database,
    /// `[mail]`
    pub(crate) mail: Mail,
    /// `[secrets]`
    pub(crate) secrets: Secrets,
    /// `[policy]` and `[limits]`
    pub(crate) policy: Policy,
    /// `limits.peer_requests_per_second`
    pub(crate) peer_limit: Limit,
    /// `[projects.NAME]`
    pub(crate) projects: BTreeMap<ProjectName, Project>,
    /// `[log]`
    pub(crate) log: Log,
    /// What an operator should hear of, though it is no reason to refuse.
    pub(crate) warnings: Vec<String>,
}

impl Settings {
    /// Reads and checks all layers of a service.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at once.
    pub(crate) fn load(sources: &Sources) -> Result<Self, Problems> {
        Self::load_over(sources, &Defaults::default())
    }

    /// Reads and checks all layers, over these `defaults`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, at once.
    pub(crate) fn load_over(sources: &Sources, defaults: &Defaults) -> Result<Self, Problems> {
        let read = Layers::read(sources).map_err(|problem| Problems(vec![problem]));
        let (layers, problems) = read?;
        let holds_secrets = layers.hold_secrets_in_file();
        let mut reader = Reader::new(layers, problems);
        if let (true, Some(file)) = (holds_secrets, &sources.file) {
            reader.warn_of_readers(file);
        }
        let settings = Self::read(&mut reader, defaults);
        if reader.problems.is_empty() {
            Ok(Self {
                warnings: reader.warnings,
                ..settings
            })
        } else {
            Err(Problems(reader.problems))
        }
    }

    fn read(reader: &mut Reader, defaults: &Defaults) -> Self {
        let mail = Mail::read(reader);
        let set = policy::read(reader, "", &defaults.policy);
        let mut policy = policy::under_profile(reader, "", set.clone());
        policy.language = mail.sending.locale.clone();
        Self {
            server: Server::read(reader),
            database: Database::read(reader),
            secrets: Secrets::read(reader),
            peer_limit: limits::read_peer(reader, defaults.peer_limit),
            projects: projects::read(reader, &mail, &set),
            log: Log::read(reader),
            mail,
            policy,
            warnings: Vec::new(),
        }
    }
}

/// The configuration file: the one that was named, else the first that there is of
/// `./otpost.toml` and, for a service, `/etc/otpost/otpost.toml`.
#[must_use]
pub(crate) fn file(named: Option<PathBuf>, is_service: bool) -> Option<PathBuf> {
    let usual = ["otpost.toml", "/etc/otpost/otpost.toml"];
    let count = if is_service { 2 } else { 1 };
    named.or_else(|| {
        let mut usual = usual[..count].iter().map(Path::new);
        usual.find(|path| path.exists()).map(Path::to_owned)
    })
}

/// The environment of this process, without what is not text.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of the program that reads variables"
)]
pub(crate) fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
