//! `otpost template`

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use otpost_domain::{Address, Code, Language, Mode, ProjectName, SessionId, TemplateName};
use otpost_mail::{Mailbox, Message, Reading, Renderer, TemplateErrors, Tone};
use otpost_ports::{Catalogues as _, Clock as _, Letter, MessageId, Owner};

use super::dev;
use super::table::table;
use crate::cli::PreviewArgs;
use crate::clock::SystemClock;
use crate::compose;
use crate::settings::{Sending, Settings};
use crate::{Failure, say};

/// The project of messages that are not of a project with settings of its own.
const NO_PROJECT: &str = "preview";
const TO: &str = "reader@example.com";
const CODE: &str = "482913";
/// The lifetime that a caller gets who asks for none, in seconds.
const LIFETIME_SECS: u32 = 300;

pub(super) fn list(settings: &Settings, project: Option<&str>) -> Result<(), Failure> {
    let renderer = renderer(settings)?;
    let (project, _) = of_project(settings, project)?;
    let mut rows: Vec<[String; 3]> = Vec::new();
    for origin in renderer.origins(&project) {
        let mut language = origin.language.to_string();
        if origin.tone == Tone::Informal {
            language.push_str(" (informal)");
        }
        let template = origin.template.to_string();
        let files = match origin.files.as_slice() {
            [] => "built in".to_owned(),
            files => files.join(", "),
        };
        let mut same = rows
            .iter_mut()
            .filter(|[name, _, from]| *name == template && *from == files);
        match same.next() {
            Some([_, languages, _]) => *languages = format!("{languages} {language}"),
            None => rows.push([template, language, files]),
        }
    }
    rows.sort_unstable();
    let rows: Vec<_> = rows
        .into_iter()
        .map(|[template, languages, from]| [template, from, languages])
        .collect();
    say(&table(["TEMPLATE", "WRITTEN IN", "LANGUAGES"], &rows))
}

pub(super) fn check(settings: &Settings, folder: Option<&Path>) -> Result<(), Failure> {
    let folders = match folder {
        Some(folder) => vec![folder],
        None => compose::template_folders(settings),
    };
    let mut problems = Vec::new();
    for folder in &folders {
        if let Err(TemplateErrors(found)) = otpost_mail::check_templates(folder) {
            problems.extend(found);
        }
    }
    let shown: Vec<_> = folders
        .iter()
        .map(|one| one.display().to_string())
        .collect();
    if !problems.is_empty() {
        let count = match problems.len() {
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        let problems = TemplateErrors(problems);
        return Err(format!("{count}\n{problems}").into());
    }
    match shown.as_slice() {
        [] => say("No folder is configured: all messages are as built in."),
        shown => say(&format!("Nothing is wrong in {}.", shown.join(", "))),
    }
}

pub(super) fn preview(settings: &Settings, args: &PreviewArgs) -> Result<(), Failure> {
    let renderer = renderer(settings)?;
    let (project, sending) = of_project(settings, args.project.as_deref())?;
    let (template, language) = which(&renderer, &project, sending, args)?;
    let now = SystemClock.now();
    let letter = Letter {
        message: MessageId([0; 16]),
        session: SessionId::NONE,
        owner: Owner {
            project,
            mode: Mode::Live,
        },
        to: Address::parse(TO)?,
        code: Code::parse(CODE).ok_or("the sample code is none")?,
        template,
        language,
        variables: args.variables.iter().cloned().collect::<BTreeMap<_, _>>(),
        now,
        expires_at: now.plus_secs(LIFETIME_SECS),
    };
    let message = renderer.message(&letter)?;
    let bytes = part(message, args);
    match &args.to {
        Some(file) => {
            let written = std::fs::write(file, bytes);
            Ok(
                written
                    .map_err(|error| format!("{} cannot be written: {error}", file.display()))?,
            )
        }
        None => Ok(std::io::stdout().lock().write_all(&bytes)?),
    }
}

fn part(message: Message, args: &PreviewArgs) -> Vec<u8> {
    if args.eml {
        message.bytes
    } else if args.html {
        message.html.into_bytes()
    } else {
        format!("Subject: {}\n\n{}", message.subject, message.text).into_bytes()
    }
}

fn renderer(settings: &Settings) -> Result<std::sync::Arc<Renderer>, Failure> {
    let sender = Mailbox::parse(dev::SENDER)?;
    let renderer = compose::renderer_from_settings(settings, Some(&sender), Reading::Once);
    Ok(renderer?)
}

/// The project of this name, which must have settings of its own, or one that has none.
fn of_project<'a>(
    settings: &'a Settings,
    name: Option<&str>,
) -> Result<(ProjectName, &'a Sending), Failure> {
    let Some(name) = name else {
        let none = ProjectName::parse(NO_PROJECT)?;
        return Ok((none, &settings.mail.sending));
    };
    let name = ProjectName::parse(name)?;
    match settings.projects.get(&name) {
        Some(project) => Ok((name, &project.sending)),
        None => Err(format!(
            "the project {name} has no settings of its own, so its messages are those without \
             --project"
        )
        .into()),
    }
}

fn which(
    renderer: &Renderer,
    project: &ProjectName,
    sending: &Sending,
    args: &PreviewArgs,
) -> Result<(TemplateName, Language), Failure> {
    let there = renderer.of(project);
    let mut templates = there.templates.iter();
    let Some(template) = templates.find(|one| one.as_str() == args.name) else {
        let names: Vec<_> = there.templates.iter().map(TemplateName::as_str).collect();
        let names = names.join(", ");
        return Err(format!("there is no template {}: there are {names}", args.name).into());
    };
    let languages = there.languages_of(template);
    let language = match args.language.as_deref() {
        Some(tag) => {
            let nearest = Language::nearest(languages, tag);
            nearest.ok_or_else(|| {
                let tags: Vec<_> = languages.iter().map(Language::as_str).collect();
                format!(
                    "{template} is not written in {tag}: there are {}",
                    tags.join(", ")
                )
            })?
        }
        None => &sending.locale,
    };
    Ok((template.clone(), language.clone()))
}
