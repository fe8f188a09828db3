//! `otpost project`

use otpost_domain::ProjectName;
use otpost_service::Keys;

use super::moment;
use super::table::table;
use crate::{Failure, say};

pub(super) async fn create(keys: &Keys, name: &str) -> Result<(), Failure> {
    let name = ProjectName::parse(name)?;
    if !keys.create_project(name.clone()).await? {
        return Err(format!("there is a project {name} already").into());
    }
    say(&format!("The project {name} is created."))
}

pub(super) async fn list(keys: &Keys) -> Result<(), Failure> {
    let projects = keys.projects().await?;
    if projects.is_empty() {
        return say("There is no project yet: `otpost project create NAME` makes one.");
    }
    let rows: Vec<_> = projects
        .iter()
        .map(|(name, created_at)| [name.to_string(), moment::show(*created_at)])
        .collect();
    say(&table(["PROJECT", "CREATED"], &rows))
}
