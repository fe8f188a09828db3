//! Running other programs, and saying so when one is not there.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::environment;
use crate::problem::{Outcome, Problem};

/// Cargo, at the root of the checkout.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(environment::cargo());
    command.args(arguments).current_dir(environment::root());
    command
}

/// Runs a program whose output goes to the terminal.
pub(crate) fn run(command: &mut Command, mend: &str) -> Outcome {
    println!("$ {}", line(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| lost(command, &error))?;
    if status.success() {
        return Ok(());
    }
    Err(Problem::new(format!("`{}` failed", line(command)), mend))
}

/// Runs a program and takes what it writes on standard output.
pub(crate) fn read(command: &mut Command) -> Outcome<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| lost(command, &error))?;
    if !output.status.success() {
        return Err(Problem::new(
            format!("`{}` failed", line(command)),
            format!(
                "it said: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program answers to these arguments without failing.
pub(crate) fn answers(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether cargo has this subcommand.
pub(crate) fn has_cargo(subcommand: &str) -> bool {
    let mut command = cargo(&[subcommand, "--version"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A part that cannot run here: said in one line, and under `CI=true` a failure.
pub(crate) fn left_out(what: &str, install: &str) -> Outcome {
    if environment::under_ci() {
        return Err(Problem::new(format!("left out under CI: {what}"), install));
    }
    println!("left out: {what} ({install})");
    Ok(())
}

/// Empties a directory, or makes it.
pub(crate) fn empty(directory: &Path) -> Outcome {
    let removed = match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    };
    removed
        .and_then(|()| std::fs::create_dir_all(directory))
        .map_err(|error| {
            Problem::new(
                format!("cannot empty {}: {error}", directory.display()),
                "remove it by hand",
            )
        })
}

/// Reads a text file of the checkout or of a chore.
pub(crate) fn text(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Problem::new(
            format!("cannot read {}: {error}", path.display()),
            "is it there, in UTF-8?",
        )
    })
}

/// Writes a file that a chore needs.
pub(crate) fn write(path: &Path, text: &str) -> Outcome {
    std::fs::write(path, text).map_err(|error| {
        Problem::new(
            format!("cannot write {}: {error}", path.display()),
            "may you write there?",
        )
    })
}

fn line(command: &Command) -> String {
    std::iter::once(
        Path::new(command.get_program())
            .file_name()
            .unwrap_or_default(),
    )
    .chain(command.get_args())
    .map(|word| word.to_string_lossy().into_owned())
    .collect::<Vec<_>>()
    .join(" ")
}

fn lost(command: &Command, error: &std::io::Error) -> Problem {
    Problem::new(
        format!("cannot run `{}`: {error}", line(command)),
        "is it installed?",
    )
}
