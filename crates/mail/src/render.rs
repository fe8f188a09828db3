//! From a letter to its message.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use otpost_domain::{Language, ProjectName, TemplateName};
use otpost_ports::{Catalogues, DeliveryError, Letter};

use crate::catalogue::{Catalogue, Content, Values};
use crate::lifetime::Lifetime;
use crate::message::unwritable;
use crate::shelf::{Reading, Shelf};
use crate::texts::Texts;
use crate::{Message, Sender, Senders, TemplateError, TemplateErrors, Tone};

/// Writes messages. Holds every template, compiled and proven.
#[derive(Debug)]
pub struct Renderer {
    default: Voice,
    projects: BTreeMap<ProjectName, Voice>,
}

/// A sender, and the messages in its name.
#[derive(Debug)]
struct Voice {
    sender: Sender,
    shelf: Arc<Shelf>,
}

/// Where the texts of one template are written for one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The template.
    pub template: TemplateName,
    /// The language.
    pub language: Language,
    /// How it speaks.
    pub tone: Tone,
    /// The files of one's own that something is taken from; all else is built in.
    pub files: Vec<String>,
}

impl Renderer {
    /// A renderer of the built-in templates and of those in the folders of `senders`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the templates of all folders: each is rendered once here.
    pub fn new(senders: Senders, reading: Reading) -> Result<Self, TemplateErrors> {
        let mut shelves = Shelves {
            reading,
            open: BTreeMap::new(),
            problems: Vec::new(),
        };
        let default = shelves.voice(senders.default);
        let mut projects = BTreeMap::new();
        for (name, sender) in senders.projects {
            projects.extend(shelves.voice(sender).map(|voice| (name, voice)));
        }
        match default {
            Some(default) if shelves.problems.is_empty() => Ok(Self { default, projects }),
            _ => Err(TemplateErrors(shelves.problems)),
        }
    }

    /// The names that a request may ask for, unless its project has messages of its own.
    #[must_use]
    pub fn templates(&self) -> Vec<TemplateName> {
        let catalogue = self.default.shelf.catalogue();
        catalogue.listed().templates.clone()
    }

    /// The languages of those; the first is for readers whose own is not there.
    #[must_use]
    pub fn languages(&self) -> Vec<Language> {
        let catalogue = self.default.shelf.catalogue();
        catalogue.listed().languages.clone()
    }

    /// Where each message of `project` is written.
    #[must_use]
    pub fn origins(&self, project: &ProjectName) -> Vec<Origin> {
        let catalogue = self.voice(project).shelf.catalogue();
        let origin = |(texts, template): (&Texts, &TemplateName)| Origin {
            template: template.clone(),
            language: texts.language.clone(),
            tone: texts.tone,
            files: texts
                .own_files(template)
                .into_iter()
                .map(str::to_owned)
                .collect(),
        };
        catalogue.pairs().map(origin).collect()
    }

    fn voice(&self, project: &ProjectName) -> &Voice {
        self.projects.get(project).unwrap_or(&self.default)
    }

    pub(crate) fn default_sender(&self) -> &Sender {
        &self.default.sender
    }

    /// The message of `letter`, the same each time but for its date and the lifetime it names.
    ///
    /// Of the caller's variables the built-in templates use one: `name`, for a greeting. Others
    /// are there for texts that use them.
    ///
    /// # Errors
    ///
    /// [`DeliveryError::Permanent`] when a variable holds a control character or the template is
    /// not there any more.
    pub fn message(&self, letter: &Letter) -> Result<Message, DeliveryError> {
        if has_control(letter) {
            return Err(unwritable("a variable holds a control character"));
        }
        let Voice { sender, shelf } = self.voice(&letter.owner.project);
        let catalogue = shelf.catalogue();
        let texts = texts(&catalogue, letter, sender)?;
        let content = content(&catalogue, letter, sender, texts);
        let content = content.map_err(|error| unwritable(&error.to_string()))?;
        Message::build(letter, sender, &texts.language, content)
    }
}

/// The folders that are read so far.
struct Shelves {
    reading: Reading,
    /// By folder; what is built in stands under `None`.
    open: BTreeMap<Option<PathBuf>, Option<Arc<Shelf>>>,
    problems: Vec<TemplateError>,
}

impl Shelves {
    /// `None` where the folder of `sender` is broken.
    fn voice(&mut self, sender: Sender) -> Option<Voice> {
        if !self.open.contains_key(&sender.templates) {
            let opened = Shelf::open(sender.templates.as_deref(), self.reading);
            let opened = opened.map_err(|TemplateErrors(found)| self.problems.extend(found));
            let place = sender.templates.clone();
            self.open.insert(place, opened.ok().map(Arc::new));
        }
        let there = self.open.get(&sender.templates)?.clone();
        there.map(|shelf| Voice { sender, shelf })
    }
}

impl Catalogues for Renderer {
    fn of(&self, project: &ProjectName) -> Arc<otpost_ports::Catalogue> {
        let catalogue = self.voice(project).shelf.catalogue();
        Arc::clone(catalogue.listed())
    }
}

fn content(
    catalogue: &Catalogue,
    letter: &Letter,
    sender: &Sender,
    texts: &Texts,
) -> Result<Content, TemplateError> {
    let values = Values {
        code: letter.code.reveal(),
        product: sender.product(),
        lifetime: Lifetime::of(letter.now.until(letter.expires_at)),
        footer: sender.footer(&texts.language),
        variables: &letter.variables,
    };
    catalogue.content(texts, &letter.template, values)
}

/// The texts of the letter's language, or of another when it is not there any more.
fn texts<'a>(
    catalogue: &'a Catalogue,
    letter: &Letter,
    sender: &Sender,
) -> Result<&'a Texts, DeliveryError> {
    let listed = catalogue.listed();
    if !listed.templates.contains(&letter.template) {
        return Err(unwritable("the template is not configured any more"));
    }
    let languages = listed.languages_of(&letter.template);
    Language::nearest(languages, letter.language.as_str())
        .or(languages.first())
        .and_then(|language| catalogue.texts(&letter.template, language, sender.tone))
        .ok_or_else(|| unwritable("there are no texts"))
}

/// RUSTSEC-2026-0561: no line break of a caller's reaches the wire, in whatever part.
fn has_control(letter: &Letter) -> bool {
    letter
        .variables
        .iter()
        .flat_map(|(name, value)| name.chars().chain(value.chars()))
        .any(char::is_control)
}
