//! Projects and keys as rows.

use otpost_domain::{AddressRange, KeyDigest, KeyId, Permissions, Timestamp};
use otpost_ports::{KeyRecord, ProjectRecord, StoreError};
use sea_orm::Set;

use super::{Table, mode_number};
use crate::entity::{api_key, project};

pub(crate) const PROJECTS: Table = Table("projects");
pub(crate) const API_KEYS: Table = Table("api_keys");

/// The row of a project.
pub(crate) fn project_row(record: &ProjectRecord) -> project::ActiveModel {
    project::ActiveModel {
        name: Set(record.name.as_str().to_owned()),
        created_at: Set(record.created_at.as_millis()),
    }
}

/// What `row` says.
pub(crate) fn read_project(row: &project::Model) -> Result<ProjectRecord, StoreError> {
    Ok(ProjectRecord {
        name: PROJECTS.project("name", &row.name)?,
        created_at: Timestamp::from_millis(row.created_at),
    })
}

/// The row of a key.
pub(crate) fn key_row(record: &KeyRecord) -> api_key::ActiveModel {
    api_key::ActiveModel {
        id: Set(record.id.as_str().to_owned()),
        project: Set(record.project.as_str().to_owned()),
        mode: Set(mode_number(record.mode)),
        permissions: Set(record.permissions.names().to_owned()),
        digest: Set(record.digest.0.to_vec()),
        created_at: Set(record.created_at.as_millis()),
        expires_at: Set(record.expires_at.map(Timestamp::as_millis)),
        revoked_at: Set(record.revoked_at.map(Timestamp::as_millis)),
        allowed_from: Set(ranges_text(&record.allowed_from)),
        last_used_at: Set(record.last_used_at.map(Timestamp::as_millis)),
    }
}

/// What `row` says.
pub(crate) fn read_key(row: api_key::Model) -> Result<KeyRecord, StoreError> {
    Ok(KeyRecord {
        id: KeyId::parse(&row.id).ok_or_else(|| API_KEYS.corrupt("id is none"))?,
        project: API_KEYS.project("project", &row.project)?,
        mode: API_KEYS.mode(row.mode)?,
        permissions: Permissions::parse(&row.permissions)
            .ok_or_else(|| API_KEYS.corrupt("permissions names an unknown one"))?,
        digest: KeyDigest(API_KEYS.bytes("digest", row.digest)?),
        created_at: Timestamp::from_millis(row.created_at),
        expires_at: row.expires_at.map(Timestamp::from_millis),
        revoked_at: row.revoked_at.map(Timestamp::from_millis),
        allowed_from: ranges(&row.allowed_from)?,
        last_used_at: row.last_used_at.map(Timestamp::from_millis),
    })
}

fn ranges_text(ranges: &[AddressRange]) -> String {
    let texts: Vec<_> = ranges.iter().map(AddressRange::to_string).collect();
    texts.join(" ")
}

/// One that cannot be read is no reason to leave it out: the key would be accepted from anywhere.
fn ranges(text: &str) -> Result<Vec<AddressRange>, StoreError> {
    let ranges = text.split_whitespace().map(str::parse);
    ranges
        .collect::<Result<_, _>>()
        .map_err(|_| API_KEYS.corrupt("allowed_from names no range of addresses"))
}
