//! What the parts share: the binary, a folder, and figures that several compare with.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::database::Engine;
use super::options::Options;
use super::site::Site;
use super::{ceiling, machine, parts, pgbench};
use crate::environment;
use crate::problem::{Outcome, Problem};
use crate::process::{cargo, empty, run};

/// Above it others take too much of the processors, of 1.
const BUSY_MAX: f64 = 0.1;

/// A run of measurements.
pub(super) struct Lab {
    pub(super) options: Options,
    folder: PathBuf,
    binary: PathBuf,
    /// What the product is compared with; none where it is alone.
    ceiling: Option<PathBuf>,
    /// How much of the processors others took before the run, of 1.
    pub(super) busy: f64,
    /// Figures by name, each measured once in a run.
    known: RefCell<BTreeMap<String, f64>>,
}

impl Lab {
    /// Builds what is measured, unless another binary is named.
    pub(super) fn open(options: Options) -> Outcome<Self> {
        let folder = folder()?;
        let binary = binary(&options, &folder)?;
        let is_compared = !options.is_alone && options.engines.contains(&Engine::Sqlite);
        let ceiling = is_compared.then(ceiling::build).transpose()?;
        let busy = machine::busy();
        if busy > BUSY_MAX {
            println!(
                "others take {:.0} % of the processors: what is measured now is worth little",
                busy * 100.0
            );
        }
        Ok(Self {
            options,
            busy,
            folder,
            binary,
            ceiling,
            known: RefCell::default(),
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn binary(&self) -> &Path {
        &self.binary
    }

    /// A site of its own for a part.
    pub(super) fn site(&self, engine: Engine) -> Outcome<Site> {
        let opening = self.options.opening();
        Site::new(&self.binary, engine, &self.folder.join("site"), opening)
    }

    /// Answers a second of HTTP and JSON alone.
    pub(super) fn ceiling(&self) -> Outcome<f64> {
        self.once("ceiling", || {
            let alone = || Problem::new("there is nothing to compare with", "leave out --alone");
            let program = self.ceiling.as_ref().ok_or_else(alone)?;
            Ok(ceiling::measure(program, &self.folder, self.options.time())?.per_second)
        })
    }

    /// The best of `pgbench`.
    pub(super) fn pgbench(&self, what: pgbench::Statement) -> Outcome<f64> {
        self.once(what.name(), || {
            for (statement, rate) in pgbench::measure(self)? {
                self.learn(statement.name(), rate);
            }
            self.known(what.name())
                .ok_or_else(|| Problem::new("pgbench measured nothing", "see above"))
        })
    }

    /// The most that verify does in a second.
    pub(super) fn verify_rate(&self, engine: Engine) -> Outcome<f64> {
        let name = format!("verify {}", engine.name());
        self.once(&name, || Ok(parts::verify::rate(self, engine)?.per_second))
    }

    pub(super) fn known(&self, name: &str) -> Option<f64> {
        self.known.borrow().get(name).copied()
    }

    pub(super) fn learn(&self, name: &str, figure: f64) {
        self.known.borrow_mut().insert(name.to_owned(), figure);
    }

    fn once(&self, name: &str, measure: impl FnOnce() -> Outcome<f64>) -> Outcome<f64> {
        if let Some(figure) = self.known(name) {
            return Ok(figure);
        }
        let figure = measure()?;
        self.learn(name, figure);
        Ok(figure)
    }
}

/// A folder for this process; what runs that have ended left behind goes.
fn folder() -> Outcome<PathBuf> {
    let all = environment::scratch("bench");
    for entry in std::fs::read_dir(&all).into_iter().flatten().flatten() {
        if !Path::new("/proc").join(entry.file_name()).exists() {
            empty(&entry.path())?;
            // It is empty: one that stays does no harm.
            let _ = std::fs::remove_dir(entry.path());
        }
    }
    let folder = all.join(std::process::id().to_string());
    empty(&folder)?;
    Ok(folder)
}

/// What is measured: the one that is named, or one that is built now.
fn binary(options: &Options, folder: &Path) -> Outcome<PathBuf> {
    if let Some(path) = &options.binary {
        return path.canonicalize().map_err(|error| {
            Problem::new(
                format!("cannot find {}: {error}", path.display()),
                "is it there?",
            )
        });
    }
    let words = ["build", "--release", "--package", "otpost", "--quiet"];
    run(&mut cargo(&words), "mend what the compiler names")?;
    // A copy, so that who builds meanwhile does not change what is measured.
    let copy = folder.join("otpost");
    std::fs::copy(environment::target().join("release/otpost"), &copy).map_err(|error| {
        Problem::new(format!("cannot copy the binary: {error}"), "is there room?")
    })?;
    Ok(copy)
}
