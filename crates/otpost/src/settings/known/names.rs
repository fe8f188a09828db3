//! Which setting a name is of, or might have meant.

use super::{FILE, LOCALE, SETTINGS, Setting};

/// A known name, found by [`lookup`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// The setting.
    pub(crate) setting: &'static Setting,
    /// Whether the name is that of a file that holds the value.
    pub(crate) is_file: bool,
}

/// The setting that the dotted name `path` is of.
pub(crate) fn lookup(path: &str) -> Option<Known> {
    SETTINGS.iter().find_map(|setting| {
        let names = |path: &str| is_name_of(setting, path);
        if names(path) {
            return Some(Known {
                setting,
                is_file: false,
            });
        }
        let stem = path.strip_suffix(FILE)?;
        (setting.kind.is_secret() && names(stem)).then_some(Known {
            setting,
            is_file: true,
        })
    })
}

fn is_name_of(setting: &Setting, path: &str) -> bool {
    let in_project = path
        .strip_prefix("projects.")
        .and_then(|path| Some(path.split_once('.')?.1));
    match (setting.path.strip_prefix("projects.NAME."), in_project) {
        (None, None) => fits(setting.path, path),
        (None, Some(rest)) => setting.per_project && fits(setting.path, rest),
        (Some(own), Some(rest)) => fits(own, rest),
        (Some(_), None) => false,
    }
}

/// Whether `path` is `name`, in which [`LOCALE`] stands for one part of any kind.
fn fits(name: &str, path: &str) -> bool {
    let Some(stem) = name.strip_suffix(LOCALE) else {
        return name == path;
    };
    let tag = path.strip_prefix(stem);
    tag.is_some_and(|tag| !tag.is_empty() && !tag.contains('.'))
}

/// Whether settings can stand in a table called `path`.
pub(crate) fn is_section(path: &str) -> bool {
    let is_above = |name: &str| {
        name.strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    let rest = path.strip_prefix("projects.");
    let own = rest
        .and_then(|rest| rest.split_once('.'))
        .map(|(_, own)| own);
    match (rest, own) {
        (None, _) => SETTINGS.iter().any(|setting| is_above(setting.path)),
        (Some(_), None) => true,
        (Some(_), Some(own)) => matches!(own, "policy" | "limits" | "footer"),
    }
}

/// The known name that is most like `path`, where one is like it at all.
pub(crate) fn nearest(path: &str) -> Option<String> {
    let project = path
        .strip_prefix("projects.")
        .and_then(|path| Some(path.split_once('.')?.0));
    let last = path.rsplit('.').next().unwrap_or_default();
    let in_project = |name: &str| {
        let name = name.replace(LOCALE, last);
        project.map_or(name.clone(), |project| name.replace("NAME", project))
    };
    let mut names: Vec<String> = Vec::new();
    for setting in SETTINGS {
        names.push(in_project(setting.path));
        if setting.kind.is_secret() {
            names.push(format!("{}{FILE}", setting.path));
        }
        if let (true, Some(project)) = (setting.per_project, project) {
            names.push(format!("projects.{project}.{}", setting.path));
        }
    }
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&name, path), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len() / 3)
        .map(|(_, name)| name)
}

/// The setting whose name has the letters of `variable` and only other separators.
pub(crate) fn levelled(variable: &str) -> Option<&'static str> {
    let letters = |name: &str| name.replace(['_', '.'], "").to_ascii_lowercase();
    let mut paths = SETTINGS.iter().map(|setting| setting.path);
    paths.find(|path| letters(path) == letters(variable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_as_such_as_a_file_and_as_a_projects_own() {
        for (path, found) in [
            ("server.listen", Some("server.listen")),
            ("server.listen_file", None),
            ("secrets.index_key_file", Some("secrets.index_key")),
            ("projects.shop.from", Some("projects.NAME.from")),
            ("projects.NAME.from", Some("projects.NAME.from")),
            ("projects.shop.policy.resend", Some("policy.resend")),
            ("projects.shop.server.listen", None),
            ("projects.shop.limits.peer_requests_per_second", None),
            ("mail.footer.de", Some("mail.footer.LOCALE")),
            ("mail.footer.zh-hant", Some("mail.footer.LOCALE")),
            ("mail.footer", None),
            ("mail.footer.", None),
            ("mail.footer.de.x", None),
            ("mail.locale.de", None),
            (
                "projects.shop.footer.de",
                Some("projects.NAME.footer.LOCALE"),
            ),
            ("projects.shop.mail.footer.de", None),
            ("projects.footer.de", None),
            ("projects.shop", None),
            ("projects.from", None),
        ] {
            let setting = lookup(path).map(|known| known.setting.path);
            assert_eq!(setting, found, "{path}");
        }
    }

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        for (path, name) in [
            ("server.lisen", Some("server.listen")),
            ("secret.index_key_file", Some("secrets.index_key_file")),
            (
                "projects.shop.polcy.resend",
                Some("projects.shop.policy.resend"),
            ),
            ("projects.shop.form", Some("projects.shop.from")),
            ("mail.foter.de", Some("mail.footer.de")),
            ("projects.shop.fotter.de", Some("projects.shop.footer.de")),
            ("something.else.entirely", None),
        ] {
            assert_eq!(nearest(path).as_deref(), name, "{path}");
        }
    }

    #[test]
    fn every_name_is_there_once() {
        let mut names: Vec<_> = SETTINGS.iter().map(|setting| setting.path).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
