//! The renderer of `[mail]` and of what projects have of their own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use otpost_domain::Language;
use otpost_mail::{Mailbox, Reading, Renderer, Sender, Senders, TemplateError, TemplateErrors};
use otpost_ports::Catalogues as _;

use crate::settings::{Problem, Problems, Sending, Settings};

/// A renderer of every message. `fallback` is the sender where none is configured.
///
/// # Errors
///
/// A sender that is missing, a language that there is not, and all that is wrong with templates.
pub(crate) fn renderer_from_settings(
    settings: &Settings,
    fallback: Option<&Mailbox>,
    reading: Reading,
) -> Result<Arc<Renderer>, Problems> {
    let senders = match senders(settings, fallback) {
        Ok(senders) => senders,
        Err(problem) => {
            let mut problems = vec![problem];
            for folder in template_folders(settings) {
                problems.extend(
                    otpost_mail::check_templates(folder)
                        .map_or_else(|errors| all_refused(settings, &errors), |()| Vec::new()),
                );
            }
            return Err(Problems(problems));
        }
    };
    let renderer = Renderer::new(senders, reading);
    let renderer = renderer.map_err(|errors| Problems(all_refused(settings, &errors)))?;
    let mut problems = Vec::new();
    let languages = renderer.languages();
    problems.extend(check_languages("mail.", &settings.mail.sending, &languages).err());
    for (name, project) in &settings.projects {
        let languages = &renderer.of(name).languages;
        let prefix = format!("projects.{name}.");
        problems.extend(check_languages(&prefix, &project.sending, languages).err());
    }
    if problems.is_empty() {
        Ok(Arc::new(renderer))
    } else {
        Err(Problems(problems))
    }
}

/// Every folder of templates that is configured, once.
#[must_use]
pub(crate) fn template_folders(settings: &Settings) -> Vec<&Path> {
    let of_projects = settings.projects.values().map(|project| &project.sending);
    let mut folders = Vec::new();
    for sending in std::iter::once(&settings.mail.sending).chain(of_projects) {
        if let Some(folder) = sending.templates.as_deref()
            && !folders.contains(&folder)
        {
            folders.push(folder);
        }
    }
    folders
}

fn senders(settings: &Settings, fallback: Option<&Mailbox>) -> Result<Senders, Problem> {
    let mut projects = BTreeMap::new();
    for (name, project) in &settings.projects {
        let prefix = format!("projects.{name}.");
        projects.insert(name.clone(), sender(&project.sending, &prefix, fallback)?);
    }
    let default = sender(&settings.mail.sending, "mail.", fallback)?;
    Ok(Senders { default, projects })
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
        templates: sending.templates.clone(),
    })
}

fn all_refused(settings: &Settings, errors: &TemplateErrors) -> Vec<Problem> {
    let errors = errors.0.iter();
    errors.map(|error| refused(settings, error)).collect()
}

/// The problem of the setting that names the folder of a broken file.
fn refused(settings: &Settings, error: &TemplateError) -> Problem {
    let general = ("mail.templates".to_owned(), &settings.mail.sending);
    let projects = settings
        .projects
        .iter()
        .map(|(name, project)| (format!("projects.{name}.templates"), &project.sending));
    let file = Path::new(error.file());
    let is_in = |sending: &Sending| {
        let folder = sending.templates.as_deref();
        folder.is_some_and(|folder| file.starts_with(folder))
    };
    let setting = std::iter::once(general)
        .chain(projects)
        .find(|(_, sending)| is_in(sending));
    let setting = setting.map_or("mail".to_owned(), |(setting, _)| setting);
    Problem::about(&setting, format!("is refused: {error}"))
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
