//! `[projects.NAME]`: what one project has of its own.

use std::collections::BTreeMap;

use otpost_domain::ProjectName;
use otpost_service::Policy;

use super::mail::{Mail, Sending};
use super::policy;
use super::problem::{Origin, Problem};
use super::reader::Reader;

/// All that holds for one project.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    /// How its mails look.
    pub(crate) sending: Sending,
    /// What its callers may ask, and how often.
    pub(crate) policy: Policy,
}

/// Reads every project; what one does not set is as for all. `general` is not under its profile.
pub(crate) fn read(
    reader: &mut Reader,
    mail: &Mail,
    general: &Policy,
) -> BTreeMap<ProjectName, Project> {
    let mut projects = BTreeMap::new();
    for name in reader.projects() {
        let Ok(project) = ProjectName::parse(&name).map_err(|error| {
            let path = format!("projects.{name}");
            let what = format!("is not the name of a project: {error}");
            reader
                .problems
                .push(Problem::new(&path, Origin::Default, what));
        }) else {
            continue;
        };
        let prefix = format!("projects.{name}.");
        let sending = Sending::read(reader, &prefix, &mail.sending);
        let set = policy::read(reader, &prefix, general);
        let mut policy = policy::under_profile(reader, &prefix, set);
        policy.language = sending.locale.clone();
        projects.insert(project, Project { sending, policy });
    }
    projects
}
