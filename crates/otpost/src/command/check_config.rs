//! `otpost check-config`

use std::path::PathBuf;

use crate::settings::Settings;
use crate::{Failure, say};

pub(super) fn run(named: Option<PathBuf>) -> Result<(), Failure> {
    let sources = super::sources(named);
    let settings = Settings::load(&sources)?;
    super::prepare(&settings)?;
    for warning in &settings.warnings {
        say(&format!("warning: {warning}"))?;
    }
    let place = match &sources.file {
        Some(path) => format!("{} and the environment", path.display()),
        None => "no file, the environment alone".to_owned(),
    };
    let Settings {
        server,
        mail,
        projects,
        ..
    } = &settings;
    say(&format!(
        "The configuration is complete ({place}).\n\
         otpost would listen on {}, send over {} and knows {} of its own.",
        server.listen,
        count(mail.relays.len(), "relay", "relays"),
        count(
            projects.len(),
            "project with settings",
            "projects with settings"
        ),
    ))
}

fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}
