//! The relay of the demo: aiosmtpd in a virtual environment, with a certificate for `localhost`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::background::Background;
use crate::environment;
use crate::problem::{Outcome, Problem};
use crate::process::{answers, left_out, read, write};

/// The version that the demo was tried with.
const AIOSMTPD: &str = "aiosmtpd==1.4.6";

const USER: &str = "demo";
/// With characters that a URL holds only percent-encoded.
const PASSWORD: &str = "p@ss/w:rd";
const PASSWORD_IN_URL: &str = "p%40ss%2Fw%3Ard";

/// What the relay needs of the machine.
pub(super) struct Tools {
    pub(super) python: PathBuf,
}

/// The relay, as long as this value lives.
pub(super) struct Relay {
    pub(super) port: u16,
    pub(super) maildir: PathBuf,
    pub(super) authority: PathBuf,
    process: Background,
}

/// Makes the virtual environment where it is missing; `None` when the machine cannot.
pub(super) fn tools() -> Outcome<Option<Tools>> {
    let install = "apt-get install python3-venv openssl";
    let lacks = |what| left_out(what, install).map(|()| None);
    if !answers("openssl", &["version"]) {
        return lacks("the demo: it needs openssl");
    }
    if !answers("python3", &["-c", "import venv, ensurepip"]) {
        return lacks("the demo: it needs python3 with venv");
    }
    let folder = environment::scratch("demo/venv");
    let python = folder.join("bin/python");
    if !answers(&python.to_string_lossy(), &["-c", "import aiosmtpd"]) {
        println!("installing {AIOSMTPD} into {}", folder.display());
        read(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&folder),
        )?;
        let mut pip = Command::new(&python);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            AIOSMTPD,
        ]);
        if read(&mut pip).is_err() {
            return left_out(
                "the demo: aiosmtpd cannot be had",
                "it needs the network, once",
            )
            .map(|()| None);
        }
    }
    Ok(Some(Tools { python }))
}

impl Relay {
    pub(super) fn start(tools: &Tools, folder: &Path) -> Outcome<Self> {
        certificate(folder)?;
        let script = environment::root().join("xtask/demo/relay.py");
        let arguments = [
            script.to_string_lossy().as_ref(),
            "server.pem",
            "server.key",
            "mail",
            USER,
            PASSWORD,
        ]
        .map(str::to_owned);
        let log = folder.join("relay.log");
        let mut process = Background::start("relay", &tools.python, arguments, folder, &log)?;
        let port = process.until("its port", Duration::from_secs(20), |said| {
            said.lines()
                .find_map(|line| line.strip_prefix("listening ")?.parse().ok())
        })?;
        let maildir = folder.join("mail");
        Ok(Self {
            port,
            maildir,
            authority: folder.join("ca.pem"),
            process,
        })
    }

    pub(super) fn wait_for_mail(&mut self) -> Outcome {
        let arrived = self.maildir.join("new");
        self.process
            .until("a message", Duration::from_secs(20), |_| {
                std::fs::read_dir(&arrived).ok()?.next().map(|_| ())
            })
    }

    /// User and password as a URL holds them.
    pub(super) fn credentials() -> String {
        format!("{USER}:{PASSWORD_IN_URL}")
    }

    /// The relay's own words on how the message came.
    pub(super) fn witness(&self) -> Outcome<String> {
        let said = self.process.said();
        let line = said
            .lines()
            .find(|line| line.starts_with("accepted over TLS"));
        line.map(str::to_owned).ok_or_else(|| {
            Problem::new(
                "the relay took a message without TLS",
                format!("it said:\n{said}"),
            )
        })
    }
}

/// An authority for this run alone, and a certificate for `localhost` that it signed.
fn certificate(folder: &Path) -> Outcome {
    write(
        &folder.join("server.ext"),
        "basicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:localhost\n\
         extendedKeyUsage=serverAuth\n",
    )?;
    for arguments in [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=demo \
         -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
         -keyout ca.key -out ca.pem",
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
         -keyout server.key -out server.csr",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
         -extfile server.ext -out server.pem",
    ] {
        let words = arguments.split_whitespace();
        read(Command::new("openssl").args(words).current_dir(folder))?;
    }
    Ok(())
}
