//! What `SpamAssassin` thinks of every message, by its local rules: nothing is asked over a network.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::environment;
use crate::otpost;
use crate::problem::{Outcome, Problem};
use crate::process::{answers, empty, left_out, read, write};

/// A message stays below this score; 5.0 is what `SpamAssassin` calls spam.
const SCORE_MAX: f64 = 1.0;
/// The header that says which message it is.
const NAME: &str = "X-Otpost-Message: ";
/// The text that every installation must call spam: without it, a judge that reads nothing passes.
const GTUBE: &str = "Subject: control\nFrom: a@example.com\nTo: b@example.com\n\n\
                     XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n";

/// Judges each template in each language and tone, as it goes to a relay.
pub(crate) fn run() -> Outcome {
    if !answers("spamassassin", &["--version"]) {
        return left_out(
            "what SpamAssassin thinks of the messages: it is not installed",
            "Debian: apt-get install spamassassin",
        );
    }
    let binary = otpost::build()?;
    let folder = environment::scratch("spam");
    empty(&folder)?;
    let informal = folder.join("informal.toml");
    write(&informal, "[mail]\ntone = \"informal\"\n")?;

    let mut messages = vec![("control".to_owned(), GTUBE.to_owned())];
    let list = read(otpost_in(&binary, &folder).args(["template", "list"]))?;
    for (template, language, is_informal) in templates(&list)? {
        let mut command = otpost_in(&binary, &folder);
        command.args(["template", "preview", &template, "--language", &language]);
        command.arg("--eml");
        let mut name = format!("{template} {language}");
        if is_informal {
            command.arg("--config").arg(&informal);
            name.push_str(" (informal)");
        }
        messages.push((name, read(&mut command)?));
    }
    judge(&folder, &messages)
}

fn otpost_in(binary: &Path, folder: &Path) -> Command {
    let mut command = Command::new(binary);
    command.current_dir(folder);
    command
}

/// Template, language, and whether it is the informal one, for each line of `template list`.
fn templates(list: &str) -> Outcome<Vec<(String, String, bool)>> {
    let odd = || {
        Problem::new(
            "`otpost template list` is not the table that it was",
            "read it",
        )
    };
    let column = list.find("LANGUAGES").ok_or_else(odd)?;
    let mut found: Vec<(String, String, bool)> = Vec::new();
    for line in list.lines().skip(1) {
        let (head, languages) = line.split_at_checked(column).ok_or_else(odd)?;
        let template = head.split_whitespace().next().ok_or_else(odd)?;
        for word in languages.split_whitespace() {
            match (word, found.last_mut()) {
                ("(informal)", Some(message)) => message.2 = true,
                (language, _) => found.push((template.to_owned(), language.to_owned(), false)),
            }
        }
    }
    Ok(found)
}

fn judge(folder: &Path, messages: &[(String, String)]) -> Outcome {
    let mbox = folder.join("messages.mbox");
    let separated = messages.iter().map(|(name, message)| {
        let message = message.replace("\r\n", "\n");
        format!("From relay@example.com Thu Jan  1 00:00:00 1970\n{NAME}{name}\n{message}\n")
    });
    write(&mbox, &separated.collect::<String>())?;
    let preferences = folder.join("user_prefs");
    write(&preferences, "")?;
    let mut command = Command::new("spamassassin");
    command.args(["--local", "--test-mode", "--mbox", "--prefspath"]);
    let judged = read(command.arg(&preferences).arg(&mbox))?;

    let scores = scores(&judged);
    let is_judge = scores.get("control").is_some_and(|score| *score > 100.0);
    if scores.len() != messages.len() || !is_judge {
        return Err(Problem::new(
            format!("SpamAssassin judged {} of {}", scores.len(), messages.len()),
            format!("run it by hand on {}", mbox.display()),
        ));
    }
    let mut worst = f64::MIN;
    for (name, score) in scores.iter().filter(|(name, _)| **name != "control") {
        worst = worst.max(*score);
        if *score >= SCORE_MAX {
            return Err(Problem::new(
                format!("{name} scores {score}, and {SCORE_MAX} is too much"),
                format!(
                    "its rules are in what SpamAssassin says of {}",
                    mbox.display()
                ),
            ));
        }
    }
    let count = messages.len() - 1;
    println!("{count} messages: the worst scores {worst:.1}, and {SCORE_MAX:.1} is too much");
    Ok(())
}

/// The score of each message by its name: they do not come in their order.
fn scores(judged: &str) -> BTreeMap<&str, f64> {
    let mut scores = BTreeMap::new();
    let mut last = None;
    for line in judged.lines() {
        if let Some(status) = line.strip_prefix("X-Spam-Status:") {
            let score = status.split_once("score=").map(|(_, rest)| rest);
            last = score.and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
        } else if let (Some(name), Some(score)) = (line.strip_prefix(NAME), last) {
            scores.insert(name, score);
            last = None;
        }
    }
    scores
}
