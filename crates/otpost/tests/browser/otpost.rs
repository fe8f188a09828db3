//! `otpost dev` as a child process, and its API.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::eventually;
use crate::http::ask;

/// A development run that does not outlive its test.
pub(crate) struct Otpost {
    child: Child,
    folder: tempfile::TempDir,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    key: String,
}

impl Otpost {
    pub(crate) fn dev() -> Self {
        Self::dev_with(&[])
    }

    /// Starts it with these settings in the environment and waits until it serves.
    pub(crate) fn dev_with(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let child = Command::new(env!("CARGO_BIN_EXE_otpost"))
            .args(["dev", "--data", "data", "--listen", "127.0.0.1:0"])
            .current_dir(folder.path())
            .env_clear()
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(File::create(&log).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("the server to serve", || {
            let log = fs::read_to_string(&log).unwrap();
            log.contains("Stop with ctrl-c").then_some(())
        });
        let env_file = fs::read_to_string(folder.path().join("data/dev.env")).unwrap();
        let value = |name: &str| {
            let line = env_file.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim_start_matches('=').to_owned()
        };
        let address = value("OTPOST_URL").replace("http://", "");
        let key = value("OTPOST_KEY");
        Self {
            child,
            folder,
            address,
            key,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Opens a session and gives its identifier.
    pub(crate) fn send(&self, email: &str) -> String {
        self.send_with(&json!({ "email": email }))
    }

    pub(crate) fn send_with(&self, body: &Value) -> String {
        let (status, answer) = self.post("send", body);
        assert_eq!(status, 200, "{answer}");
        answer["data"]["session_id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn verify(&self, session: &str, code: &str) -> (u16, Value) {
        self.post("verify", &json!({ "session_id": session, "code": code }))
    }

    /// The messages in the inbox to this address, the newest first, once there are `count`.
    pub(crate) fn messages(&self, email: &str, count: usize) -> Vec<Value> {
        let path = format!("/dev/inbox/messages?to={email}");
        eventually("the messages", || {
            let (_, answer) = ask(&self.address, "GET", &path, "", None);
            let messages = answer["messages"].as_array()?.clone();
            (messages.len() >= count).then_some(messages)
        })
    }

    /// The code of the newest message to this address.
    pub(crate) fn code(&self, email: &str) -> String {
        self.messages(email, 1)[0]["code"].as_str().unwrap().into()
    }

    /// Everything that the run wrote.
    pub(crate) fn key_is_nowhere_in(&self, page: &str) -> bool {
        assert!(self.folder.path().join("data").exists());
        !page.contains(&self.key) && !page.contains("otp_live_")
    }

    fn post(&self, endpoint: &str, body: &Value) -> (u16, Value) {
        let path = format!("/api/v1/otp/{endpoint}");
        let key = format!("Authorization: Bearer {}\r\n", self.key);
        ask(&self.address, "POST", &path, &key, Some(body))
    }
}

impl Drop for Otpost {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A code of the same length that is not `code`.
pub(crate) fn wrong(code: &str) -> String {
    let first = if code.starts_with('0') { "1" } else { "0" };
    format!("{first}{}", &code[1..])
}
