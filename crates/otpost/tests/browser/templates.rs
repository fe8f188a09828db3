//! The preview of every template.

use serde_json::Value;

use crate::browser::Browser;
use crate::http::ask;
use crate::otpost::Otpost;

fn open() -> Option<(Otpost, Browser)> {
    let browser = Browser::open()?;
    let otpost = Otpost::dev();
    browser.go(&otpost.url("/dev/templates"));
    browser.wait("document.getElementById('locale').options.length >= 20");
    Some((otpost, browser))
}

fn choose(browser: &Browser, template: &str, locale: &str) {
    browser.click(&format!("#locale option[value='{locale}']"));
    browser.run(&format!(
        "const t = document.getElementById('template'); t.value = '{template}'; \
         t.dispatchEvent(new Event('change'))"
    ));
    browser.wait(&format!(
        "document.getElementById('language').textContent === '{locale}' \
         && document.title.startsWith('{template}, {locale} ')"
    ));
}

#[test]
fn a_template_is_shown_in_its_language_and_direction() {
    let Some((otpost, browser)) = open() else {
        return;
    };
    for (locale, direction, word) in [("ar", "rtl", "الرمز"), ("ja", "ltr", "コード")] {
        choose(&browser, "login", locale);

        let (dir, text) = browser.in_frame(|frame| {
            let dir = frame.run("return getComputedStyle(document.body).direction");
            (dir, frame.text("body"))
        });
        assert_eq!(dir, direction, "{locale}");
        assert!(text.contains("482913"), "{locale}: {text}");
        browser.click("#tab-text");
        assert_eq!(
            browser.run("return document.getElementById('part-text').dir"),
            direction
        );
        let text = browser.text("#part-text");
        assert!(text.contains(word), "{locale}: {text}");
        browser.click("#tab-source");
        browser.wait("document.getElementById('part-source').textContent.includes('MIME')");
        browser.click("#tab-html");
    }

    let (_, inbox) = ask(&otpost.address, "GET", "/dev/inbox/messages", "", None);
    assert_eq!(inbox["messages"], Value::Array(Vec::new()), "it was kept");
    browser.assert_quiet();
}

#[test]
fn languages_are_stepped_through_and_a_reload_stays() {
    let Some((_otpost, browser)) = open() else {
        return;
    };
    choose(&browser, "reset", "de");
    browser.click("#after");
    browser.wait("document.getElementById('language').textContent === 'el'");
    browser.run("location.reload()");
    browser.wait("document.getElementById('language').textContent === 'el'");
    assert_eq!(
        browser.run("return document.getElementById('template').value"),
        "reset"
    );
    browser.assert_quiet();
}

#[test]
fn it_is_pleasant_at_both_widths() {
    let Some((_otpost, browser)) = open() else {
        return;
    };
    for locale in ["ar", "ja"] {
        choose(&browser, "login", locale);
        browser.in_frame(|frame| frame.text("bdi"));
        for (name, width, scheme) in [
            ("light", 1280, "light"),
            ("dark", 1280, "dark"),
            ("light-phone", 375, "light"),
        ] {
            browser.looks(width, 800, scheme);
            let needed = browser.run("return document.documentElement.scrollWidth");
            assert_eq!(needed, width, "nothing is cut off: {name}");
            browser.screenshot(&format!("templates-{locale}-{name}"));
        }
        browser.looks(1280, 800, "light");
    }
    browser.assert_quiet();
}
