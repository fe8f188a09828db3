//! The renderer of `[mail]` and of what projects have of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use otpost_domain::Language;
use otpost_mail::{Mailbox, Renderer, Sender, Senders};

use crate::settings::{Problem, Sending, Settings};

/// A renderer of every message. `fallback` is the sender where none is configured.
///
/// # Errors
///
/// A sender that is missing, a language that there is not, or a template that is broken.
pub fn renderer_from_settings(
    settings: &Settings,
    fallback: Option<&Mailbox>,
) -> Result<Arc<Renderer>, Problem> {
    let mut projects = BTreeMap::new();
    for (name, project) in &settings.projects {
        let prefix = format!("projects.{name}.");
        projects.insert(name.clone(), sender(&project.sending, &prefix, fallback)?);
    }
    let default = sender(&settings.mail.sending, "mail.", fallback)?;
    let renderer = Renderer::new(Senders { default, projects }).map_err(|error| {
        Problem::about("mail", format!("has a template that is refused: {error}"))
    })?;
    let languages = renderer.languages();
    check_locale("mail.locale", &settings.mail.sending.locale, &languages)?;
    for (name, project) in &settings.projects {
        let path = format!("projects.{name}.locale");
        check_locale(&path, &project.sending.locale, &languages)?;
    }
    Ok(Arc::new(renderer))
}

fn sender(sending: &Sending, prefix: &str, fallback: Option<&Mailbox>) -> Result<Sender, Problem> {
    let Some(mailbox) = sending.from.as_ref().or(fallback) else {
        let what = "is not set: write the sender of your mails, such as \
                    `Acme <no-reply@acme.example>`";
        return Err(Problem::about(&format!("{prefix}from"), what));
    };
    Sender::new(mailbox.clone(), &sending.product, &BTreeMap::new()).map_err(|error| {
        Problem::about(&format!("{prefix}product"), format!("is refused: {error}"))
    })
}

fn check_locale(path: &str, locale: &Language, languages: &[Language]) -> Result<(), Problem> {
    if languages.contains(locale) {
        return Ok(());
    }
    let tags: Vec<_> = languages.iter().map(Language::as_str).collect();
    let tags = tags.join(", ");
    let what = format!("is {locale}, and there are no messages in it: there are {tags}");
    Err(Problem::about(path, what))
}
