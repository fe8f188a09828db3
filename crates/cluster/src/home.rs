//! A folder for a server, and the shell that ends the server and removes the folder once we are gone.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::account::Account;
use crate::environment::variable;

/// Is told the server's process id, or an empty line when there is none. When its input ends,
/// because this value was dropped or our process died of whatever signal, it clears up.
const KEEPER: &str = r#"
while read -r line; do server=$line; done
[ -z "$server" ] || kill -s QUIT "$server"
turns=0
while [ -n "$server" ] && kill -s 0 "$server" && [ "$turns" -lt 150 ]; do
  turns=$((turns + 1)); sleep 0.1
done
[ -z "$server" ] || kill -s KILL "$server"
cd / && rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }
"#;

/// The address of a socket has a little more than 100 bytes, of which `/.s.PGSQL.12345.lock` takes 20.
const FOLDER_MAX: usize = 75;

#[derive(Debug)]
pub(crate) struct Home {
    account: Account,
    keeper: Child,
    folder: TempDir,
}

impl Home {
    /// In the system's temporary folder, for the server's account only.
    pub(crate) fn new() -> io::Result<Self> {
        let parent = match std::env::temp_dir() {
            long if long.as_os_str().len() > FOLDER_MAX - 20 => PathBuf::from("/tmp"),
            parent => parent,
        };
        let folder = tempfile::Builder::new()
            .prefix("otpost-pg-")
            .tempdir_in(parent)?;
        let account = Account::take(folder.path())?;
        let keeper = command(account, folder.path(), "sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(folder.path())
            // A Ctrl-C in the terminal is not for the one that clears up after it.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self {
            account,
            keeper,
            folder,
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program run as the server's account, in this folder, without input, and with none of our
    /// variables but `PATH`: libpq would obey those that begin with `PG`.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        command(self.account, self.folder(), program)
    }

    /// Names the process to end when we are gone; `None` when it has ended before.
    pub(crate) fn keep(&mut self, server: Option<u32>) -> io::Result<()> {
        let line = server.map_or_else(String::new, |id| id.to_string());
        match &mut self.keeper.stdin {
            Some(pipe) => writeln!(pipe, "{line}"),
            None => Ok(()),
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // Were it lost, the folder would still go, as a field of ours.
        let _ = self.keeper.wait();
    }
}

fn command(account: Account, folder: &Path, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(variable("PATH").map(|path| ("PATH", path)))
        .current_dir(folder)
        .stdin(Stdio::null());
    account.run(&mut command);
    command
}
