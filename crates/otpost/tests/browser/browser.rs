//! Chromium, driven over the W3C's `WebDriver` protocol.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::eventually;
use crate::http::ask;

/// Keys as `WebDriver` writes them (17.4.2).
pub(crate) const TAB: &str = "\u{E004}";
pub(crate) const ENTER: &str = "\u{E007}";
pub(crate) const CONTROL: &str = "\u{E009}";
pub(crate) const ARROW_RIGHT: &str = "\u{E014}";

/// The member that names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

const INSTALL: &str = "install chromium and chromium-driver (Debian: apt-get install chromium \
                       chromium-driver)";

/// One window of a browser with a profile of its own. It is closed when this is dropped.
pub(crate) struct Browser {
    driver: Child,
    address: String,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// `None`, and a line that says so, where there is no browser; under `CI=true` a failure.
    pub(crate) fn open() -> Option<Self> {
        if !is_there("chromium") || !is_there("chromedriver") {
            assert!(!is_ci(), "there is no browser under CI: {INSTALL}");
            eprintln!("left out: there is no browser: {INSTALL}");
            return None;
        }
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let address = format!("127.0.0.1:{}", port.unwrap());
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
                "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync", "--window-size=1280,800",
                format!("--user-data-dir={}", profile.path().display()),
            ]},
        }}});
        let (status, answer) = ask(&address, "POST", "/session", "", Some(&capabilities));
        let mut browser = Self {
            driver,
            address,
            session: String::new(),
            _profile: profile,
        };
        assert_eq!(status, 200, "{answer}");
        answer["value"]["sessionId"]
            .as_str()
            .unwrap()
            .clone_into(&mut browser.session);
        Some(browser)
    }

    pub(crate) fn go(&self, url: &str) {
        self.command("url", &json!({ "url": url }));
    }

    /// What a script returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until a script returns something that is not false, null, zero or empty.
    pub(crate) fn wait(&self, script: &str) -> Value {
        eventually(script, || {
            let value = self.run(&format!("return {script}"));
            let is_nothing = match &value {
                Value::Null | Value::Bool(false) => true,
                Value::String(text) => text.is_empty(),
                Value::Number(number) => number.as_f64() == Some(0.0),
                Value::Bool(true) | Value::Array(_) | Value::Object(_) => false,
            };
            (!is_nothing).then_some(value)
        })
    }

    /// The text of the element that is found first, as it is shown.
    pub(crate) fn text(&self, selector: &str) -> String {
        let text = self.of_element(selector, "GET", "text", None);
        text.as_str().unwrap().to_owned()
    }

    /// Clicks as a person does: on what is seen there.
    pub(crate) fn click(&self, selector: &str) {
        self.of_element(selector, "POST", "click", Some(&json!({})));
    }

    /// Empties a field and types into it.
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        self.of_element(selector, "POST", "clear", Some(&json!({})));
        let typed = json!({ "text": text });
        self.of_element(selector, "POST", "value", Some(&typed));
    }

    /// Types where the focus is, key after key.
    pub(crate) fn press(&self, keys: &[&str]) {
        let strokes = keys
            .iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })));
        self.keyboard(&strokes.collect::<Vec<_>>());
    }

    /// Types one key while control is held.
    pub(crate) fn press_with_control(&self, key: &str) {
        let strokes = [
            ("keyDown", CONTROL),
            ("keyDown", key),
            ("keyUp", key),
            ("keyUp", CONTROL),
        ];
        self.keyboard(&strokes.map(|(kind, key)| json!({ "type": kind, "value": key })));
    }

    /// What is in the inner document of the only frame.
    pub(crate) fn in_frame<T>(&self, look: impl FnOnce(&Self) -> T) -> T {
        self.command("frame", &json!({ "id": 0 }));
        let seen = look(self);
        self.command("frame", &json!({ "id": null }));
        seen
    }

    /// A window of this size, in CSS pixels, in a light or a dark environment.
    pub(crate) fn looks(&self, width: u32, height: u32, scheme: &str) {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 }),
        );
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        );
    }

    /// A command of Chromium's own.
    pub(crate) fn devtools(&self, name: &str, parameters: &Value) -> Value {
        self.command(
            "goog/cdp/execute",
            &json!({ "cmd": name, "params": parameters }),
        )
    }

    /// Writes what is seen to `target/screenshots`.
    pub(crate) fn screenshot(&self, name: &str) {
        let image = STANDARD.decode(self.get("screenshot").as_str().unwrap());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join("..")
            .join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), image.unwrap()).unwrap();
    }

    /// Fails if a page broke its own policy or a script broke.
    pub(crate) fn assert_quiet(&self) {
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "the console says: {complaints:?}");
    }

    /// What the console says since it was last asked; what the server refused is no complaint.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.command("se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().unwrap().iter();
        let complaints = entries.filter(|entry| {
            let message = entry["message"].as_str().unwrap();
            entry["source"] != "network" || !message.contains("responded with a status of")
        });
        complaints
            .map(|entry| entry["message"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Asks something of the element that is found first, once it is there and can be reached.
    fn of_element(&self, selector: &str, method: &str, what: &str, body: Option<&Value>) -> Value {
        let wanted = json!({ "using": "css selector", "value": selector });
        eventually(selector, || {
            let (_, found) = self.ask("POST", "element", Some(&wanted));
            let element = found["value"][ELEMENT].as_str()?;
            let (status, answer) = self.ask(method, &format!("element/{element}/{what}"), body);
            let error = answer["value"]["error"].as_str().unwrap_or_default();
            let is_early = [
                "element not interactable",
                "element click intercepted",
                "stale element reference",
            ]
            .contains(&error);
            assert!(
                status == 200 || is_early,
                "{selector} {what}: {status} {answer}"
            );
            (status == 200).then(|| answer["value"].clone())
        })
    }

    fn keyboard(&self, actions: &[Value]) {
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.command("actions", &json!({ "actions": [keyboard] }));
    }

    fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, None);
        assert_eq!(status, 200, "{path}: {answer}");
        answer["value"].clone()
    }

    fn command(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask("POST", path, Some(body));
        assert_eq!(status, 200, "{path} {body}: {answer}");
        answer["value"].clone()
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let path = format!("/session/{}/{path}", self.session);
        ask(&self.address, method, &path, "", body)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let path = format!("/session/{}", self.session);
            ask(&self.address, "DELETE", &path, "", None);
        }
        // It may have ended already.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[expect(
    clippy::disallowed_methods,
    reason = "whether this runs where all must run is no setting"
)]
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}
