//! What the product does in a second, and what that takes: measured from outside, beside what the
//! machine could do. Nothing fails on a time: figures are judged by who reads them.

mod ballast;
mod ceiling;
mod chart;
mod charts;
mod client;
mod database;
mod lab;
mod load;
mod machine;
mod measure;
mod node;
mod options;
mod parts;
mod peers;
mod pgbench;
mod report;
mod requests;
mod sink;
mod site;
mod wrk;

use std::time::Instant;

use crate::problem::{Outcome, Problem};
use crate::process::{cargo, run};

use lab::Lab;
use measure::Measure;
use options::Options;

/// Measures what the words after `bench` ask for.
pub(crate) fn measure(words: &[&str]) -> Outcome {
    let options = Options::read(words)?;
    if cfg!(debug_assertions) {
        // What measures shares the machine with what is measured, and is to take little of it.
        let chore = [
            "run",
            "--release",
            "--quiet",
            "--package",
            "xtask",
            "--",
            "bench",
        ];
        return run(&mut cargo(&[&chore[..], words].concat()), "see above");
    }
    wrk::check()?;
    let lab = Lab::open(options)?;
    match &lab.options.part {
        Some(name) => one(&lab, name),
        None => all(&lab),
    }
}

fn one(lab: &Lab, name: &str) -> Outcome {
    let Some((_, part)) = parts::ALL.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = parts::ALL.iter().map(|(name, _)| *name).collect();
        return Err(Problem::new(
            format!("`bench` has no part `{name}`"),
            format!("one of: {}", known.join(", ")),
        ));
    };
    print(&part(lab)?);
    Ok(())
}

fn all(lab: &Lab) -> Outcome {
    let begin = Instant::now();
    let (mut measures, mut missing) = (Vec::new(), Vec::new());
    for (name, part) in parts::ALL {
        println!("{name}, after {} s", begin.elapsed().as_secs());
        match part(lab) {
            Ok(found) => measures.extend(found),
            // The others are worth as much without it.
            Err(problem) => {
                eprintln!("{name} broke off: {problem}");
                missing.push(name);
            }
        }
    }
    print(&measures);
    let secs = begin.elapsed().as_secs();
    let file = report::publish(lab, &measures, &missing, secs)?;
    println!("\n{secs} s; written to {}", file.display());
    if missing.is_empty() {
        return Ok(());
    }
    Err(Problem::new(
        format!("not measured: {}", missing.join(", ")),
        "see above; alone: cargo xtask bench PART",
    ))
}

fn print(measures: &[Measure]) {
    println!();
    for measure in measures {
        println!(
            "{:<9}{:<11} {:<58} {:>14}  {:>10}  {:<4} {}",
            measure.goal,
            measure.engine(),
            measure.what,
            measure.reached(),
            measure.wanted(),
            measure.verdict(),
            measure.of,
        );
    }
}
