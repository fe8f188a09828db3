//! Texts and layouts of one's own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use otpost_domain::{Language, TemplateName};
use otpost_mail::{
    Mailbox, Message, Product, Reading, Renderer, Sender, Senders, TemplateErrors, Tone,
    check_templates,
};
use otpost_ports::{Catalogues, DeliveryError, Letter};
use otpost_testkit::sample;

use crate::{detector, with_variables};

fn folder<const N: usize>(files: [(&str, &str); N]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn sender(product: &str, templates: Option<&Path>, tone: Tone) -> Sender {
    Sender {
        mailbox: Mailbox::parse("no-reply@acme.example").unwrap(),
        product: Product::parse(product).unwrap(),
        tone,
        footer: BTreeMap::new(),
        templates: templates.map(Path::to_owned),
    }
}

/// The project `books` has this folder; `friends` has it too, and says *du*. All others have what
/// is built in.
fn renderer(folder: &Path, reading: Reading) -> Renderer {
    let books = sender("Books", Some(folder), Tone::Formal);
    let friends = sender("Friends", Some(folder), Tone::Informal);
    let projects = [("books", books), ("friends", friends)];
    let senders = Senders {
        default: sender("Acme", None, Tone::Formal),
        projects: projects
            .map(|(name, sender)| (sample::project(name), sender))
            .into(),
    };
    Renderer::new(senders, reading).unwrap()
}

fn letter(project: &str, template: &str, language: &str) -> Letter {
    let mut letter = sample::letter(0, "482913");
    letter.owner.project = sample::project(project);
    letter.template = TemplateName::parse(template).unwrap();
    letter.language = Language::new(language);
    letter
}

fn message(renderer: &Renderer, project: &str, template: &str, language: &str) -> Message {
    let letter = letter(project, template, language);
    renderer.message(&letter).unwrap()
}

const INVITE: &str = "[invite]\nheading = Come in\nwhere = Enter it at the door.\n";

#[test]
fn a_key_of_ones_own_wins_and_all_else_is_as_built_in() {
    let folder = folder([
        (
            "en.texts",
            "ignore = Mine.\n[login]\nheading = Hello again\n",
        ),
        (
            "de.texts",
            "[login]\nheading = Sie hier\nlabel = Ihr Code:\n",
        ),
        ("de.informal.texts", "[login]\nheading = Du hier\n"),
        ("README.md", "not a text"),
    ]);
    let renderer = renderer(folder.path(), Reading::Once);
    for (project, template, language, there, gone) in [
        ("books", "login", "en", "Hello again", "Sign in to"),
        (
            "books",
            "login",
            "en",
            "Mine.",
            "If you did not ask for this",
        ),
        ("books", "reset", "en", "Mine.", "your password stays"),
        ("books", "reset", "en", "Reset your password", "Hello again"),
        ("books", "login", "de", "Sie hier", "Du hier"),
        (
            "books",
            "signup",
            "de",
            "E-Mail-Adresse bestätigen",
            "Sie hier",
        ),
        // The informal file, then the other one, then what is built in for the tone.
        ("friends", "login", "de", "Du hier", "Sie hier"),
        ("friends", "login", "de", "Ihr Code:", "Dein Code für"),
        (
            "friends",
            "login",
            "de",
            "Gib diesen Code",
            "Geben Sie diesen Code",
        ),
        ("books", "login", "fr", "Books", "Hello again"),
        ("other", "login", "en", "Sign in to Acme", "Hello again"),
        (
            "other",
            "login",
            "en",
            "If you did not ask for this",
            "Mine.",
        ),
    ] {
        let message = message(&renderer, project, template, language);
        let case = format!("{project} {template} {language}: {}", message.text);
        assert!(
            message.text.contains(there) && message.html.contains(there),
            "{case}"
        );
        assert!(
            !message.text.contains(gone) && !message.html.contains(gone),
            "{case}"
        );
        assert_eq!(detector::find(&message.text).as_deref(), Some("482913"));
    }
}

#[test]
fn a_new_template_is_there_for_its_project_in_the_languages_it_is_written_in() {
    let folder = folder([
        ("en.texts", ""),
        ("de.texts", INVITE),
        ("en-GB.texts", INVITE),
    ]);
    let renderer = renderer(folder.path(), Reading::Once);
    let there = renderer.of(&sample::project("books"));
    let invite = TemplateName::parse("invite").unwrap();
    let languages: Vec<_> = there
        .languages_of(&invite)
        .iter()
        .map(Language::as_str)
        .collect();
    assert_eq!(languages, ["de", "en-GB"]);
    assert_eq!(there.templates.len(), 4);
    assert!(there.languages.contains(&Language::new("en-GB")));
    assert_eq!(renderer.of(&sample::project("other")).templates.len(), 3);

    for (wanted, got, subject) in [
        ("de-AT", "de", "482913 ist Ihr Code für Books"),
        ("en-GB", "en-GB", "482913 is your Books code"),
        ("fr", "de", "482913 ist Ihr Code für Books"),
    ] {
        let message = message(&renderer, "books", "invite", wanted);
        assert!(
            message.text.contains("Enter it at the door."),
            "{}",
            message.text
        );
        assert_eq!(message.subject, subject);
        let language = ("Content-Language".to_owned(), got.to_owned());
        assert!(message.headers.contains(&language), "{:?}", message.headers);
    }
    let refused = renderer.message(&letter("other", "invite", "de")).err();
    assert!(
        matches!(refused, Some(DeliveryError::Permanent { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_language_of_ones_own_is_whole_or_refused() {
    let whole = "direction = ltr\nsubject = {{code}} és el vostre codi\npreheader = Val {{lifetime}}.\n\
        greeting = Hola {{name}},\nlabel = Codi:\nvalidity = Val {{lifetime}}.\nignore = Res.\n\
        seconds_one = {{count}} segon\nseconds_other = {{count}} segons\n\
        minutes_one = {{count}} minut\nminutes_other = {{count}} minuts\n\
        hours_one = {{count}} hora\nhours_other = {{count}} hores\n[login]\nheading = Hola\nwhere = Aquí.\n";
    let good = folder([("ca.texts", whole)]);
    let renderer = renderer(good.path(), Reading::Once);
    let catalan = message(&renderer, "books", "login", "ca");
    assert!(catalan.text.contains("Val 5 minuts."), "{}", catalan.text);
    // It has no text for a reset: the reader gets one in another language.
    let reset = message(&renderer, "books", "reset", "ca");
    assert!(reset.text.contains("Reset your password"), "{}", reset.text);

    let lacking = whole.replace("greeting = Hola {{name}},\n", "");
    let bad = folder([("ca.texts", &lacking)]);
    let TemplateErrors(found) = check_templates(bad.path()).unwrap_err();
    assert_eq!(found.len(), 1, "{found:?}");
    let file = bad.path().join("ca.texts");
    let expected = format!("{}:13: the template login has no greeting", file.display());
    assert_eq!(found[0].to_string(), expected);
}

#[test]
fn every_problem_is_told_with_file_and_line() {
    for (name, text, lines) in [
        ("en.texts", "\nheding = x\n\nlable = y", vec![2, 4]),
        (
            "en.texts",
            "[login]\nheading = {{prodcut}}\nwhere = {{{code}}}",
            vec![2, 3],
        ),
        (
            "en.texts",
            "heading = {{&code}}\nwhere = {{> x}}\nlabel = {{#with a}}{{/with}}",
            vec![1, 2, 3],
        ),
        (
            "en.texts",
            "heading = {{variables.plan}}\nwhere = {{name}}",
            vec![1, 2],
        ),
        (
            "en.texts",
            "validity = soon\nminutes_other = minutes",
            vec![1, 2],
        ),
        ("en.texts", "validity = soon\nheding = x", vec![1, 2]),
        ("en.texts", "label = a\u{1b}[2Jb\nignore = a\0", vec![1, 2]),
        (
            "en.texts",
            "label = a\nvalidity = {{#if variables.x}}soon{{else}}{{lifetime}}{{/if}}",
            vec![2],
        ),
        (
            "en.texts",
            "\nvalidity = {{#if variables.x}}{{#if variables.y}}{{lifetime}}{{else}}soon{{/if}}\
             {{else}}{{lifetime}}{{/if}}",
            vec![2],
        ),
        (
            "en.texts",
            "\nwhere = {{#if variables.x}}{{#each variables.x}}{{this}}{{/each}}{{/if}}",
            vec![2],
        ),
        ("en.texts", "\nsubject = Your code for {{product}}", vec![2]),
        (
            "en.texts",
            "\nsubject = {{#if variables.x}}Hello{{else}}{{code}}{{/if}}",
            vec![2],
        ),
        ("en.texts", "label = a\nlabel = b", vec![2]),
        ("en.texts", "\n[Log in]", vec![2]),
        ("en.texts", "\n\n[invite]\nheading = x", vec![3]),
        ("en.texts", "minutes_few = {{count}}", vec![1]),
        ("english.texts", "", vec![1]),
        ("de.text", "", vec![1]),
        ("main.html", "", vec![1]),
        ("layout.txt", "{{heading}}\n{{validity}}", vec![1]),
        ("layout.txt", "{{code}}", vec![1]),
        (
            "layout.txt",
            "{{code}}{{validity}}\n{{nope}}\n\u{7}",
            vec![2, 3],
        ),
        ("layout.html", "<p>{{code}}</p>", vec![1]),
        (
            "layout.html",
            "<p>{{code}}{{validity}}\n<img src=x>\n{{{label}}}\n<script>",
            vec![2, 2, 3, 4],
        ),
        (
            "layout.html",
            "{{code}}{{validity}}\n<p style=\"background:url(https://x.example)\">",
            vec![2],
        ),
        (
            "layout.html",
            "{{code}}{{validity}}\n<link rel=x>\n<a href=\"https://x.example\">",
            vec![2, 3],
        ),
    ] {
        let folder = folder([(name, text)]);
        let file = folder.path().join(name).display().to_string();
        let TemplateErrors(found) = check_templates(folder.path()).unwrap_err();
        assert!(
            found.iter().all(|one| one.file() == file),
            "{text}: {found:?}"
        );
        let prefix = format!("{file}:");
        let shown = found.iter().map(ToString::to_string);
        let numbers: Vec<_> = shown
            .map(|line| {
                let rest = line.strip_prefix(&prefix).unwrap().to_owned();
                rest.split(':').next().unwrap().parse::<usize>().unwrap()
            })
            .collect();
        assert_eq!(numbers, lines, "{name} {text}: {found:?}");
    }
    let all = folder([("en.texts", "heding = x"), ("de.texts", "\nlable = x")]);
    fs::write(all.path().join("fr.texts"), b"a = b\n\xff").unwrap();
    let TemplateErrors(found) = check_templates(all.path()).unwrap_err();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(check_templates(&all.path().join("nowhere")).is_err());
}

#[test]
fn a_text_may_hold_what_the_html_part_escapes() {
    let folder = folder([("en.texts", "minutes_other = {{count}} min' & < \"\"\n")]);
    let renderer = renderer(folder.path(), Reading::Once);
    let message = message(&renderer, "books", "login", "en");
    assert!(message.text.contains("5 min' & <"), "{}", message.text);
}

#[test]
fn what_is_no_regular_file_is_refused() {
    for name in ["en.texts", "layout.html", "layout.txt"] {
        let device = folder([]);
        let file = device.path().join(name);
        std::os::unix::fs::symlink("/dev/null", &file).unwrap();
        let TemplateErrors(found) = check_templates(device.path()).unwrap_err();
        let expected = format!("{}:1: is not a regular file", file.display());
        assert_eq!(found[0].to_string(), expected, "{found:?}");
        assert_eq!(found.len(), 1, "{found:?}");
    }
    let long = folder([("en.texts", &*"#".repeat(100 * 1024 + 1))]);
    assert!(check_templates(long.path()).is_err());
    let whole = folder([("en.texts", &*"#".repeat(100 * 1024))]);
    check_templates(whole.path()).unwrap();
}

#[test]
fn what_a_caller_gives_stays_text() {
    let folder = folder([(
        "en.texts",
        "[login]\nheading = For {{#if variables.plan}}{{variables.plan}}{{else}}all{{/if}}\n",
    )]);
    let renderer = renderer(folder.path(), Reading::Once);
    let bare = message(&renderer, "books", "login", "en");
    assert!(
        bare.html.contains("<title>For all</title>"),
        "{}",
        bare.html
    );
    for value in [
        "<script>alert(1)</script>",
        "\"><img src=http://evil.example/x>",
        "{{code}}",
        "{{{code}}}",
        "{{#each this}}{{/each}}",
        "{{> login}}",
    ] {
        let letter = with_variables(letter("books", "login", "en"), [("plan", value)]);
        let message = renderer.message(&letter).unwrap();
        assert!(
            message.text.starts_with(&format!("For {value}\n")),
            "{}",
            message.text
        );
        assert!(!message.html.contains("<script") && !message.html.contains("<img"));
        assert_eq!(message.html.matches("482913").count(), 1, "{value}");
    }
    let letter = with_variables(letter("books", "login", "en"), [("plan", "a\r\nb")]);
    assert!(renderer.message(&letter).is_err());
}

#[test]
fn a_layout_of_ones_own_is_used() {
    let folder = folder([
        ("layout.txt", "{{product}}\n{{code}}\n{{validity}}\n"),
        (
            "layout.html",
            "<p title=\"{{product}}\">{{code}}<p>{{validity}}\n",
        ),
    ]);
    let renderer = renderer(folder.path(), Reading::Once);
    let own = message(&renderer, "books", "login", "en");
    assert_eq!(
        own.text,
        "Books\n482913\nIt is valid for 5 minutes and works once.\n"
    );
    assert!(
        own.html.starts_with("<p title=\"Books\">482913<p>"),
        "{}",
        own.html
    );
    let other = message(&renderer, "other", "login", "en");
    assert!(other.html.contains("<bdi dir=\"ltr\">482913</bdi>"));
}

#[test]
fn a_change_is_used_at_once_and_a_broken_one_is_not() {
    let folder = folder([("en.texts", "[login]\nheading = First\n")]);
    let write = |text: &str| fs::write(folder.path().join("en.texts"), text).unwrap();
    let watching = renderer(folder.path(), Reading::Watching);
    let fixed = renderer(folder.path(), Reading::Once);
    let heading = |renderer: &Renderer| {
        let text = message(renderer, "books", "login", "en").text;
        text.lines().next().unwrap().to_owned()
    };
    assert_eq!(heading(&watching), "First");

    write("[login]\nheading = The second\n[invite]\nheading = A\nwhere = B\n");
    assert_eq!(heading(&watching), "The second");
    assert_eq!(watching.of(&sample::project("books")).templates.len(), 4);

    write("[login]\nheading = {{broken}}\n");
    assert_eq!(heading(&watching), "The second");
    assert_eq!(watching.of(&sample::project("books")).templates.len(), 4);

    write("[login]\nheading = Mended\n");
    assert_eq!(heading(&watching), "Mended");
    assert_eq!(watching.of(&sample::project("books")).templates.len(), 3);

    fs::remove_file(folder.path().join("en.texts")).unwrap();
    assert_eq!(heading(&watching), "Sign in to Books");
    fs::write(folder.path().join("en-GB.texts"), "heading = New\n").unwrap();
    assert_eq!(
        message(&watching, "books", "login", "en-GB")
            .text
            .lines()
            .next(),
        Some("New")
    );
    assert_eq!(heading(&fixed), "First");
}

#[test]
fn the_origins_name_the_files_that_a_message_is_taken_from() {
    let folder = folder([("de.texts", "[login]\nheading = Sie hier\n")]);
    let renderer = renderer(folder.path(), Reading::Once);
    let file = folder.path().join("de.texts").display().to_string();
    for origin in renderer.origins(&sample::project("books")) {
        let is_own = origin.template.as_str() == "login" && origin.language.as_str() == "de";
        let files: &[String] = if is_own {
            std::slice::from_ref(&file)
        } else {
            &[]
        };
        assert_eq!(origin.files, files, "{origin:?}");
    }
}

#[test]
fn the_example_of_the_documentation_is_whole() {
    let example = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/examples/templates"
    ));
    check_templates(example).unwrap();
    let renderer = renderer(example, Reading::Once);
    let letter = letter("books", "invite", "de");
    let letter = with_variables(letter, [("inviter", "Zoë")]);
    let message = renderer.message(&letter).unwrap();
    assert!(
        message.text.starts_with("Zoë lädt Sie zu Books ein\n"),
        "{}",
        message.text
    );
}
