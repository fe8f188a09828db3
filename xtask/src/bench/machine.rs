//! The machine that figures are of.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::database::binaries;
use super::measure::{median, short};
use crate::problem::{Outcome, Problem};
use crate::process::read;

/// How often something is brought to the disk, for the middle of it.
const SYNCS: u32 = 200;

/// What is said of the machine: a name and what it is, each.
pub(super) fn describe(folder: &Path, binary: &Path) -> Outcome<Vec<(&'static str, String)>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let memory = field(&text("/proc/meminfo"), "MemTotal").and_then(|size| {
        let kibibytes: f64 = size.split_whitespace().next()?.parse().ok()?;
        Some(format!("{:.0} GiB", kibibytes / 1_048_576.0))
    });
    let model = field(&text("/proc/cpuinfo"), "model name");
    let kernel = text("/proc/sys/kernel/osrelease");
    let postgres = binaries()
        .and_then(|binaries| read(Command::new(binaries.program("postgres")).arg("--version")));
    let said = |output: Outcome<String>| {
        output.map_or_else(|_| "none".into(), |text| text.trim().to_owned())
    };
    Ok(vec![
        (
            "Processor",
            format!("{cores} × {}", model.unwrap_or_else(|| "unknown".into())),
        ),
        ("Memory", memory.unwrap_or_else(|| "unknown".into())),
        ("Disk", disk(folder)),
        (
            "4 KiB to the disk (`fdatasync`)",
            format!("{} ms, the middle of {SYNCS}", short(sync_millis(folder)?)),
        ),
        ("Linux", kernel.trim().to_owned()),
        ("otpost", said(read(Command::new(binary).arg("--version")))),
        ("PostgreSQL", said(postgres)),
        (
            "Compiler",
            said(read(Command::new("rustc").arg("--version"))),
        ),
        ("wrk", wrk()),
    ])
}

/// How much of the processors others take, of 1, in one second in which we do nothing.
pub(super) fn busy() -> f64 {
    let before = ticks();
    std::thread::sleep(Duration::from_secs(1));
    let after = ticks();
    let passed = |part: fn(&Ticks) -> f64| part(&after) - part(&before);
    1.0 - passed(|ticks| ticks.idle) / passed(|ticks| ticks.all).max(1.0)
}

struct Ticks {
    idle: f64,
    all: f64,
}

/// Since the start of the machine, of all processors.
fn ticks() -> Ticks {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let numbers = line.split_whitespace().skip(1);
    let numbers: Vec<f64> = numbers.filter_map(|number| number.parse().ok()).collect();
    Ticks {
        // Nothing to do, and nothing to do but to wait for a disk.
        idle: numbers.iter().skip(3).take(2).sum(),
        all: numbers.iter().take(8).sum(),
    }
}

/// Today, as the machine has it.
pub(super) fn today() -> Outcome<String> {
    let date = read(Command::new("date").args(["-u", "+%F"]))?;
    Ok(date.trim().to_owned())
}

/// What it takes to write 4 KiB into a file and have it on the disk, in milliseconds: the middle of
/// many times. The file has its length before, as a log that is written over.
pub(super) fn sync_millis(folder: &Path) -> Outcome<f64> {
    let block = [7; 4_096];
    let mut millis = Vec::new();
    let written = File::create(folder.join("sync")).and_then(|mut file| {
        for _ in 0..SYNCS {
            file.write_all(&block)?;
        }
        file.sync_all()?;
        file.rewind()?;
        for _ in 0..SYNCS {
            let begin = Instant::now();
            file.write_all(&block)?;
            file.sync_data()?;
            millis.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        Ok(())
    });
    written.map_err(|error| Problem::new(format!("cannot write: {error}"), "is there room?"))?;
    Ok(median(&mut millis))
}

/// The file system that the folder is on. A file in memory would make every commit free.
fn disk(folder: &Path) -> String {
    let mut command = Command::new("df");
    command.args(["--output=fstype,size", "-h"]).arg(folder);
    let said = read(&mut command).unwrap_or_default();
    let line = said.lines().nth(1).unwrap_or("unknown");
    let mut words = line.split_whitespace();
    let kind = words.next().unwrap_or("unknown");
    format!("{kind}, {}", words.next().unwrap_or("of unknown size"))
}

/// It says its version where it says how it is used, and fails.
fn wrk() -> String {
    let output = Command::new("wrk").arg("--version").output();
    let said = output.map(|output| output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).into_owned();
    let line = said.lines().next().unwrap_or_default();
    line.split(" [")
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The value in the first line that begins with this name.
fn field(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(found, _)| found.trim() == name)?;
    Some(value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "MemTotalOther: 1 kB\nMemTotal:  24 kB\n";
        assert_eq!(field(text, "MemTotal").as_deref(), Some("24 kB"));
        assert_eq!(field(text, "Mem"), None);
    }
}
