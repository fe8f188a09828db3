//! The page that lists every setting, written from the table that the program reads by.

use std::fmt::Write as _;

use super::known::{FILE, RELAY_MEMBERS, SETTINGS, Setting};
use super::layers::in_words;
use super::problem::environment_name;

const HEAD: &str = "\
# Configuration

<!-- Generated from crates/otpost/src/settings/known.rs by `otpost check-config --documentation`. -->

Settings are read in layers, and a later layer wins: built-in defaults, a TOML file, the
environment.

- **The file** is the one named by `--config` or `OTPOST_CONFIG`, else `./otpost.toml`, else
  `/etc/otpost/otpost.toml`. `otpost init` writes one with fresh secrets; a commented example is
  `config/otpost.example.toml`. Relative paths are relative to the working directory.
- **The environment** sets `server.listen` as `OTPOST_SERVER__LISTEN` and so on: two underscores
  between the parts of a name. Lists are separated by white space. A variable that is set to nothing
  counts as not set. Names without `__`, such as `OTPOST_PORT`, are not settings.
- **Secrets** may stand in a file of their own: where it is said below, `NAME_file` is the path of
  a file with the value, such as `secrets.index_key_file` or `OTPOST_SECRETS__INDEX_KEY_FILE`.
- **Unknown names** are refused, wherever they stand. `otpost check-config` says all that is wrong.

`otpost dev` needs no configuration. It reads `--config` or `./otpost.toml` and the environment for
`mail.from`, `mail.product`, `mail.locale`, `mail.tone`, `mail.footer`, `mail.templates`, `policy`, `limits`,
`projects`, `log`, `server.cors_origins`, `server.trusted_proxies` and `server.workers`; database, secrets and messages are in its own folder.
";

/// `docs/configuration.md`.
#[must_use]
pub(crate) fn documentation() -> String {
    let mut page = HEAD.to_owned();
    let mut section = "";
    for setting in SETTINGS {
        let (name, _) = setting.path.split_once('.').unwrap_or_default();
        if name != section {
            section = name;
            heading(&mut page, section);
        }
        row(&mut page, setting);
        if setting.path == "mail.relays" {
            relay(&mut page);
        }
    }
    page
}

fn heading(page: &mut String, section: &str) {
    let name = if section == "projects" {
        "projects.NAME"
    } else {
        section
    };
    let _ = writeln!(
        page,
        "{}## {name}\n",
        if page.ends_with("\n\n") { "" } else { "\n" }
    );
    let _ = match section {
        "limits" => writeln!(
            page,
            "0 switches a limit off. What each counts, and what that bounds, stands in \
             [limits.md](limits.md). `otpost dev` has\nno limit that is not set.\n"
        ),
        "projects" => writeln!(
            page,
            "What one project has of its own. Besides these, `projects.NAME.policy.…` and \
             `projects.NAME.limits.…` override for one\nproject what stands above, where the \
             setting says so. `NAME` is the name that `otpost project create` was given.\n"
        ),
        _ => Ok(()),
    };
}

fn row(page: &mut String, setting: &Setting) {
    let Setting {
        path,
        kind,
        default,
        per_project,
        doc,
    } = setting;
    let _ = writeln!(page, "### `{path}`\n\n{doc}\n");
    let takes = in_words(*kind);
    let default = default.map_or("unset".to_owned(), |default| format!("`{default}`"));
    let _ = writeln!(page, "- Takes {takes}. Default: {default}.");
    let marked = path.replace("NAME", "*NAME*").replace("LOCALE", "*LOCALE*");
    let variable = environment_name(&marked);
    let _ = writeln!(page, "- Environment: `{variable}`.");
    if kind.is_secret() {
        let name = path.rsplit('.').next().unwrap_or_default();
        let _ = writeln!(
            page,
            "- Secret: `{name}{FILE}` may name a file that holds it."
        );
    }
    if *per_project {
        let _ = writeln!(page, "- A project may have its own.");
    }
    let _ = writeln!(page);
}

fn relay(page: &mut String) {
    let _ = writeln!(page, "A relay that is a table has these members:\n");
    for member in RELAY_MEMBERS {
        let (name, doc, takes) = (member.path, member.doc, in_words(member.kind));
        let default = member.default;
        let default = default.map_or(String::new(), |default| format!(" Default: `{default}`."));
        let _ = writeln!(page, "- `{name}`: {doc} Takes {takes}.{default}");
    }
    let _ = writeln!(page);
}
