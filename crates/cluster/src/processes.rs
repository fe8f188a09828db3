//! Signals to processes, and which are whose children.

use std::io;
use std::process::Command;

/// Sends the signal, such as `INT`, by way of the given shell. Those that have ended are passed over.
pub(crate) fn signal(mut shell: Command, name: &str, ids: &[u32]) -> io::Result<()> {
    shell
        .args(["-c", r#"kill -s "$@" 2>/dev/null"#, "kill", name])
        .args(ids.iter().map(u32::to_string))
        .status()
        .map(drop)
}

/// The living children of a process. Linux only: by `/proc`.
pub(crate) fn children(parent: u32) -> io::Result<Vec<u32>> {
    let entries = std::fs::read_dir("/proc")?.flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(ids.filter(|id| parent_of(*id) == Some(parent)).collect())
}

/// Whether there is such a process that has not ended; one that only waits to be fetched has.
pub(crate) fn is_alive(id: u32) -> bool {
    parent_of(id).is_some()
}

fn parent_of(id: u32) -> Option<u32> {
    parse(&std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// The parent in a line like `7 (a (name)) S 3 …`, unless the state says that the process has ended.
fn parse(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let (state, fields) = fields.split_once(' ')?;
    let (parent, _) = fields.split_once(' ')?;
    (!matches!(state, "Z" | "X")).then(|| parent.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_read_past_any_name() {
        assert_eq!(parse("7 (postgres: a) b) S 31 7 0"), Some(31));
        assert_eq!(parse("7 (postgres) Z 31 7 0"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_child_is_found_until_it_has_ended() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(children(std::process::id()).unwrap().contains(&child.id()));

        signal(Command::new("sh"), "KILL", &[child.id()]).unwrap();
        child.wait().unwrap();

        assert!(!is_alive(child.id()));
    }
}
