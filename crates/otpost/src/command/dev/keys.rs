//! The project and the keys of a development run: made at the first start, and kept.

use std::path::Path;

use otpost_domain::{ApiKey, Mode, Permissions, ProjectName};
use otpost_service::{KeyView, Keys, NewKey};

use super::env_file::{self, DevKeys};
use crate::Failure;

const PROJECT: &str = "default";

/// The keys that stand in the file, or new ones where they are missing or in force no more.
pub(super) async fn keep(keys: &Keys, env_file: &Path) -> Result<DevKeys, Failure> {
    let project = ProjectName::parse(PROJECT)?;
    keys.create_project(project.clone()).await?;
    let known = keys.keys().await?;
    let (live, test) = env_file::read(env_file);
    Ok(DevKeys {
        live: keep_one(keys, &known, live, Mode::Live, &project).await?,
        test: keep_one(keys, &known, test, Mode::Test, &project).await?,
    })
}

async fn keep_one(
    keys: &Keys,
    known: &[KeyView],
    written: Option<ApiKey>,
    mode: Mode,
    project: &ProjectName,
) -> Result<ApiKey, Failure> {
    let is_in_force = |key: &ApiKey| {
        let view = known.iter().find(|view| view.id == key.id());
        view.is_some_and(|view| view.mode == mode && view.revoked_at.is_none())
    };
    if let Some(key) = written.filter(is_in_force) {
        return Ok(key);
    }
    let new = NewKey {
        project: project.clone(),
        mode,
        permissions: Permissions {
            otp: true,
            admin: false,
        },
        expires_at: None,
        allowed_from: Vec::new(),
    };
    Ok(keys.create_key(new).await?)
}
