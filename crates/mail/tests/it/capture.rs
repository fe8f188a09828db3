//! The inbox on disk.

use std::fs;
use std::future::{Ready, ready};
use std::path::Path;
use std::sync::Arc;

use otpost_domain::{Language, TemplateName};
use otpost_mail::CaptureInbox;
use otpost_ports::{CapturedMessage, Courier, DeliveryError, Inbox, InboxFilter, Preview};
use otpost_testkit::contract::Mailbox;
use otpost_testkit::sample;
use tempfile::TempDir;

use crate::renderer;

fn in_a_folder() -> Ready<Option<(TempDir, Mailbox)>> {
    let folder = tempfile::tempdir().unwrap();
    let mailbox = Mailbox::of(Arc::new(open(folder.path())));
    ready(Some((folder, mailbox)))
}

fn open(folder: &Path) -> CaptureInbox {
    CaptureInbox::open(folder, renderer()).unwrap()
}

async fn list(inbox: &CaptureInbox) -> Vec<CapturedMessage> {
    inbox.list(&InboxFilter::default()).await.unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap();
    let name = |file: fs::DirEntry| file.file_name().into_string().unwrap();
    let mut names: Vec<_> = files.map(|file| name(file.unwrap())).collect();
    names.sort();
    names
}

mod inbox {
    otpost_testkit::inbox_contract!(super::in_a_folder());
}

#[tokio::test]
async fn captured_messages_are_there_after_a_restart_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(folder.path());
    for number in [1, 2, 3] {
        inbox
            .deliver(&sample::letter(number, "482913"))
            .await
            .unwrap();
    }
    let before = list(&inbox).await;
    drop(inbox);

    let inbox = open(folder.path());
    assert_eq!(list(&inbox).await, before);
    inbox.deliver(&sample::letter(4, "482913")).await.unwrap();
    let after = list(&inbox).await;
    assert_eq!(after[1..], before);
    assert_eq!(list(&open(folder.path())).await, after);
}

#[tokio::test]
async fn it_shows_exactly_what_a_relay_would_get() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(folder.path());
    let letter = sample::letter(1, "482913");
    inbox.deliver(&letter).await.unwrap();

    let sent = renderer().message(&letter).unwrap();
    let [captured] = &list(&inbox).await[..] else {
        panic!("one message was delivered")
    };
    assert_eq!(captured.subject, sent.subject);
    assert_eq!(captured.text, sent.text);
    assert_eq!(captured.html, sent.html);
    assert_eq!(captured.headers, sent.headers);
    assert_eq!(captured.source.as_bytes(), sent.bytes);
    let bytes = captured.source.replace("\r\n ", " ");
    for (name, value) in &captured.headers {
        assert!(
            bytes.contains(&format!("{name}: {value}\r\n")),
            "{name}: {value}"
        );
    }
}

#[tokio::test]
async fn a_second_try_of_one_mail_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let letter = sample::letter(1, "482913");
    let inbox = open(folder.path());
    inbox.deliver(&letter).await.unwrap();
    inbox.deliver(&letter).await.unwrap();
    assert_eq!(list(&inbox).await.len(), 1);
    drop(inbox);

    // The answer of the first try may have been lost in a crash.
    let inbox = open(folder.path());
    inbox.deliver(&letter).await.unwrap();
    assert_eq!(list(&inbox).await.len(), 1);
    assert_eq!(inbox.revision(), 0, "nothing arrived");
    assert_eq!(files(folder.path()), ["000000000000.json"]);
}

#[tokio::test]
async fn a_removed_message_is_removed_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(folder.path());
    for number in [1, 2, 3] {
        let letter = sample::letter(number, "482913");
        inbox.deliver(&letter).await.unwrap();
    }
    let middle = list(&inbox).await[1].id.clone();

    assert!(inbox.remove(&middle).await.unwrap());

    assert_eq!(
        files(folder.path()),
        ["000000000000.json", "000000000002.json"]
    );
    assert_eq!(list(&open(folder.path())).await, list(&inbox).await);
}

#[tokio::test]
async fn a_file_of_an_older_version_is_still_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let letter = sample::letter(1, "482913");
    open(folder.path()).deliver(&letter).await.unwrap();
    let file = folder.path().join("000000000000.json");
    let mut entry: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    entry.as_object_mut().unwrap().remove("source").unwrap();
    fs::write(&file, entry.to_string()).unwrap();

    let messages = list(&open(folder.path())).await;
    assert_eq!((messages.len(), &*messages[0].source), (1, ""));
}

#[tokio::test]
async fn a_preview_is_a_message_in_its_language_and_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = open(folder.path());
    assert!(inbox.languages().len() >= 20 && inbox.templates().len() >= 3);
    for template in inbox.templates() {
        for language in inbox.languages() {
            let message = inbox.message(&template, &language, sample::NOON).unwrap();
            let tag = format!("lang=\"{language}\"");
            assert!(message.html.contains(&tag), "{template} {language}");
            assert!(message.source.contains("482913"), "{template} {language}");
        }
    }
    let unknown = TemplateName::parse("unknown").unwrap();
    let refused = inbox.message(&unknown, &Language::new("en"), sample::NOON);
    assert!(matches!(refused, Err(DeliveryError::Permanent { .. })));
    assert_eq!(list(&inbox).await, []);
    assert_eq!(inbox.revision(), 0);
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_half_written_file_is_no_message_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path())
        .deliver(&sample::letter(1, "482913"))
        .await
        .unwrap();
    fs::write(folder.path().join("000000000001.tmp"), "{\"id\":\"").unwrap();
    fs::write(folder.path().join("notes.md"), "a file of someone else's").unwrap();

    let inbox = open(folder.path());
    assert_eq!(list(&inbox).await.len(), 1);
    inbox.deliver(&sample::letter(2, "482913")).await.unwrap();
    assert_eq!(
        files(folder.path()),
        ["000000000000.json", "000000000001.json", "notes.md"]
    );

    inbox.clear().await.unwrap();
    assert_eq!(files(folder.path()), ["notes.md"]);
    assert_eq!(list(&open(folder.path())).await, []);
}

#[tokio::test]
async fn a_broken_file_is_named_and_not_skipped() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("000000000007.json"), "{}").unwrap();
    let error = CaptureInbox::open(folder.path(), renderer()).err().unwrap();
    assert!(error.to_string().contains("000000000007.json"), "{error}");
}

#[tokio::test]
async fn a_message_that_is_not_on_disk_was_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inbox");
    let inbox = open(&path);
    fs::remove_dir(&path).unwrap();

    let error = inbox
        .deliver(&sample::letter(1, "482913"))
        .await
        .unwrap_err();
    assert!(matches!(error, DeliveryError::Transient { .. }), "{error}");
    assert_eq!(list(&inbox).await, []);
    assert_eq!(inbox.revision(), 0);
}

#[tokio::test]
async fn many_messages_at_once_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = Arc::new(open(folder.path()));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..40 {
        let inbox = Arc::clone(&inbox);
        tasks.spawn(async move { inbox.deliver(&sample::letter(number, "482913")).await });
    }
    while let Some(delivered) = tasks.join_next().await {
        delivered.unwrap().unwrap();
    }

    let messages = list(&inbox).await;
    assert_eq!(messages.len(), 40);
    assert_eq!(inbox.revision(), 40);
    assert_eq!(list(&open(folder.path())).await, messages);
}

#[tokio::test]
async fn only_the_owner_reads_captured_messages() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data").join("inbox");
    fs::create_dir_all(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    open(&path)
        .deliver(&sample::letter(1, "482913"))
        .await
        .unwrap();

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("000000000000.json")), 0o600);
}
