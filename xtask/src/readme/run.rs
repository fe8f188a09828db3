//! Runs the blocks of one README against a service that was started as the README says.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::block::{self, Block};
use crate::background::Background;
use crate::problem::{Outcome, Problem};
use crate::process::{answers, empty, left_out, read, write};
use crate::{environment, http};

/// A debug build that makes its data folder is ready well within this.
const START: Duration = Duration::from_mins(1);

/// Where the service is, and the key that it made.
struct Service {
    base: String,
    key: String,
    folder: PathBuf,
}

pub(super) fn run(name: &str, blocks: &[Block; 6], binary: &Path) -> Outcome {
    let [start, send, read, verify, curl_example, js_example] = blocks;
    let folder = environment::scratch("readme").join(name);
    empty(&folder)?;
    let start = block::arguments(start)?;
    let log = folder.join("service.log");
    let mut process = Background::start("otpost", binary, &start, &folder, &log)?;
    let service = wait(&mut process, folder)?;
    println!(
        "start: otpost {} answers at {}",
        start.join(" "),
        service.base
    );

    // In one shell, as on the reader's terminal.
    let said = service.shell(&[send, read, verify])?;
    expect(
        &said,
        said.contains("\"verified\":true"),
        "the steps end with \"verified\":true",
    )?;
    println!("send, read, verify: verified");
    service.curl_example(curl_example)?;
    service.js_example(js_example)
}

/// Waits for the file with base URL and key, and for the service to answer there.
fn wait(process: &mut Background, folder: PathBuf) -> Outcome<Service> {
    let file = folder.join("otpost-data/dev.env");
    let (base, key) = process.until("otpost-data/dev.env and /healthz", START, |_| {
        let variables = std::fs::read_to_string(&file).ok()?;
        let base = variable(&variables, "OTPOST_URL")?;
        let answer = http::request(&base, "/healthz", None, None).ok()?;
        let key = variable(&variables, "OTPOST_KEY")?;
        (answer.status == 200).then_some((base, key))
    })?;
    Ok(Service { base, key, folder })
}

/// The value in the line `NAME=value`.
fn variable(file: &str, name: &str) -> Option<String> {
    let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned());
    file.lines().find_map(value)
}

impl Service {
    /// Runs blocks in one shell that stops at the first command that fails.
    fn shell(&self, blocks: &[&Block]) -> Outcome<String> {
        let mut script = String::from("set -e -o pipefail\n");
        for block in blocks {
            script.push_str(&block::filled(block, &self.base, &self.key));
            script.push('\n');
        }
        read(
            Command::new("bash")
                .args(["-c", &script])
                .current_dir(&self.folder),
        )
    }

    fn curl_example(&self, block: &Block) -> Outcome {
        let said = self.shell(&[block])?;
        let answers: Vec<Value> = serde_json::Deserializer::from_str(&said)
            .into_iter()
            .filter_map(Result::ok)
            .collect();
        let sent = answers
            .first()
            .is_some_and(|answer| answer["success"] == true);
        let judged = answers
            .get(1)
            .is_some_and(|answer| answer["error"]["code"] == "SESSION_NOT_FOUND");
        expect(&said, sent, "the page's send answers with success")?;
        expect(
            &said,
            judged,
            "the page's made-up session is SESSION_NOT_FOUND",
        )?;
        println!("curl-example: sent; its made-up session is unknown, as it should be");
        Ok(())
    }

    fn js_example(&self, block: &Block) -> Outcome {
        if !answers("node", &["--version"]) {
            return left_out(
                "the README's JavaScript example: it needs node",
                "install nodejs",
            );
        }
        let script = self.folder.join("example.mjs");
        let example = block::filled(block, &self.base, &self.key);
        write(
            &script,
            &format!("{example}\nconsole.log(JSON.stringify(data));\n"),
        )?;
        let said = read(Command::new("node").arg(&script).current_dir(&self.folder))?;
        let data: Value = serde_json::from_str(text_of(&said)).unwrap_or_default();
        expect(
            &said,
            data["success"] == true,
            "the page's fetch answers with success",
        )?;
        println!("js-example: sent");
        Ok(())
    }
}

/// The last line: an example may print something of its own first.
fn text_of(said: &str) -> &str {
    said.trim_end().lines().last().unwrap_or_default()
}

fn expect(said: &str, holds: bool, promise: &str) -> Outcome {
    if holds {
        return Ok(());
    }
    Err(Problem::new(
        format!("the README does not keep its word: {promise}"),
        format!("it printed:\n{said}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_read_by_its_whole_name() {
        let file = "OTPOST_URL=http://127.0.0.1:8080\nOTPOST_KEY=otp_live_x\n";

        assert_eq!(
            variable(file, "OTPOST_URL").unwrap(),
            "http://127.0.0.1:8080"
        );
        assert_eq!(variable(file, "OTPOST_KEY").unwrap(), "otp_live_x");
        assert!(variable(file, "OTPOST").is_none());
    }
}
