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
pub(crate) fn renderer_from_settings(
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
    check_languages("mail.", &settings.mail.sending, &languages)?;
    for (name, project) in &settings.projects {
        check_languages(&format!("projects.{name}."), &project.sending, &languages)?;
    }
    Ok(Arc::new(renderer))
}

fn sender(sending: &Sending, prefix: &str, fallback: Option<&Mailbox>) -> Result<Sender, Problem> {
    let Some(mailbox) = sending.from.as_ref().or(fallback) else {
        let what = "is not set: write the sender of your mails, such as \
                    `Acme <no-reply@acme.example>`";
        return Err(Problem::about(&format!("{prefix}from"), what));
    };
    Ok(Sender {
        mailbox: mailbox.clone(),
        product: sending.product.clone(),
        tone: sending.tone,
        footer: sending.footer.clone(),
    })
}

fn check_languages(prefix: &str, sending: &Sending, there: &[Language]) -> Result<(), Problem> {
    let tags: Vec<_> = there.iter().map(Language::as_str).collect();
    let problem = |name: String, language: &Language| {
        let tags = tags.join(", ");
        let what = format!("is for {language}, and there are no messages in it: there are {tags}");
        Problem::about(&format!("{prefix}{name}"), what)
    };
    if !there.contains(&sending.locale) {
        return Err(problem("locale".to_owned(), &sending.locale));
    }
    let is_there = |tag: &str| tags.iter().any(|one| one.eq_ignore_ascii_case(tag));
    match sending.footer.keys().find(|one| !is_there(one.as_str())) {
        Some(language) => Err(problem(format!("footer.{language}"), language)),
        None => Ok(()),
    }
}
