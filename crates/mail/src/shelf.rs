//! The catalogues that are in use: one for each folder, and the built-in one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::catalogue::Catalogue;
use crate::folder::{Contents, Stamp};
use crate::lint::TemplateErrors;

/// When a folder is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// At the start.
    Once,
    /// At the start, and again before a message when a file has changed. What is broken then is
    /// told in the log, and the last good one stays in use.
    Watching,
}

/// Reads the texts and layouts of `folder`, and renders each message once.
///
/// # Errors
///
/// All that is wrong with them.
pub fn check_templates(folder: &Path) -> Result<(), TemplateErrors> {
    Catalogue::load(&Contents::read(folder)).map(drop)
}

/// The messages of one folder.
#[derive(Debug)]
pub(crate) enum Shelf {
    Fixed(Arc<Catalogue>),
    Watched { folder: PathBuf, last: Mutex<Last> },
}

/// What was read last.
#[derive(Debug)]
pub(crate) struct Last {
    stamp: Stamp,
    good: Arc<Catalogue>,
}

impl Shelf {
    pub(crate) fn open(folder: Option<&Path>, reading: Reading) -> Result<Self, TemplateErrors> {
        let Some(folder) = folder else {
            return Ok(Self::Fixed(Arc::new(Catalogue::built_in()?)));
        };
        // The stamp comes first: a change while the files are read is seen later on.
        let stamp = Stamp::of(folder);
        let good = Arc::new(Catalogue::load(&Contents::read(folder))?);
        Ok(match reading {
            Reading::Once => Self::Fixed(good),
            Reading::Watching => Self::Watched {
                folder: folder.to_owned(),
                last: Mutex::new(Last { stamp, good }),
            },
        })
    }

    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        match self {
            Self::Fixed(catalogue) => Arc::clone(catalogue),
            Self::Watched { folder, last } => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                last.refresh(folder);
                Arc::clone(&last.good)
            }
        }
    }
}

impl Last {
    fn refresh(&mut self, folder: &Path) {
        let stamp = Stamp::of(folder);
        if stamp == self.stamp {
            return;
        }
        self.stamp = stamp;
        match Catalogue::load(&Contents::read(folder)) {
            Ok(catalogue) => {
                tracing::info!(folder = %folder.display(), "templates changed, and are in use");
                self.good = Arc::new(catalogue);
            }
            Err(TemplateErrors(problems)) => {
                for problem in problems {
                    tracing::warn!("{problem}");
                }
                let folder = folder.display();
                tracing::warn!(%folder, "templates changed and are broken: the last good ones stay");
            }
        }
    }
}
