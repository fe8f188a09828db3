//! From a letter to its message.

use otpost_domain::{Language, TemplateName};
use otpost_ports::{DeliveryError, Letter};

use crate::catalogue::{Catalogue, Content, Values};
use crate::lifetime::Lifetime;
use crate::message::unwritable;
use crate::texts::Texts;
use crate::{Message, Sender, Senders, TemplateError};

/// Writes messages. Holds every template, compiled and proven.
#[derive(Debug)]
pub struct Renderer {
    catalogue: Catalogue,
    senders: Senders,
}

impl Renderer {
    /// A renderer with the built-in templates.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] when a template is broken: each is rendered once here.
    pub fn new(senders: Senders) -> Result<Self, TemplateError> {
        Ok(Self {
            catalogue: Catalogue::built_in()?,
            senders,
        })
    }

    /// The names that a request may ask for.
    #[must_use]
    pub fn templates(&self) -> Vec<TemplateName> {
        self.catalogue.templates().to_vec()
    }

    /// The languages that every template has; the first is for readers whose own is not there.
    #[must_use]
    pub fn languages(&self) -> Vec<Language> {
        self.catalogue.languages().to_vec()
    }

    pub(crate) fn default_sender(&self) -> &Sender {
        &self.senders.default
    }

    /// The message of `letter`, the same each time but for its date and the lifetime it names.
    ///
    /// The built-in templates use one of the caller's variables: `name`, for a greeting. Others
    /// are there for templates that use them.
    ///
    /// # Errors
    ///
    /// [`DeliveryError::Permanent`] when a variable holds a control character or the template is
    /// not there any more.
    pub fn message(&self, letter: &Letter) -> Result<Message, DeliveryError> {
        if has_control(letter) {
            return Err(unwritable("a variable holds a control character"));
        }
        let sender = self.senders.of(&letter.owner.project);
        let texts = self.texts(letter, sender)?;
        let content = self.content(letter, sender, texts)?;
        Message::build(letter, sender, &texts.language, content)
    }

    fn content(
        &self,
        letter: &Letter,
        sender: &Sender,
        texts: &Texts,
    ) -> Result<Content, DeliveryError> {
        if !self.catalogue.templates().contains(&letter.template) {
            return Err(unwritable("the template is not configured any more"));
        }
        let values = Values {
            code: letter.code.reveal(),
            product: sender.product(),
            lifetime: Lifetime::of(letter.now.until(letter.expires_at)),
            footer: sender.footer(&texts.language),
            variables: &letter.variables,
        };
        self.catalogue
            .content(texts, &letter.template, values)
            .map_err(|error| unwritable(&error.to_string()))
    }

    /// The texts of the letter's language, or of another when it is not there any more.
    fn texts(&self, letter: &Letter, sender: &Sender) -> Result<&Texts, DeliveryError> {
        let languages = self.catalogue.languages();
        Language::nearest(languages, letter.language.as_str())
            .or(languages.first())
            .and_then(|language| self.catalogue.texts(language, sender.tone))
            .ok_or_else(|| unwritable("there are no texts"))
    }
}

/// RUSTSEC-2026-0561: no line break of a caller's reaches the wire, in whatever part.
fn has_control(letter: &Letter) -> bool {
    letter
        .variables
        .iter()
        .flat_map(|(name, value)| name.chars().chain(value.chars()))
        .any(char::is_control)
}
