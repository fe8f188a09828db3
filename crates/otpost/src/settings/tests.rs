//! Layers, their order, and what is refused.

use std::time::Duration;

use otpost_domain::{Address, Profile, ResendPolicy};
use otpost_mail::{Footer, Product, RelaySettings, Tone};
use secrecy::ExposeSecret as _;

use super::*;

mod profile;

/// A configuration file in a folder that lives as long as it is looked at.
fn sources(toml: &str, environment: &[(&str, &str)]) -> (tempfile::TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("otpost.toml");
    std::fs::write(&file, toml).unwrap();
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let sources = Sources {
        file: Some(file),
        environment: environment.iter().map(owned).collect(),
    };
    (folder, sources)
}

fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
    let (_folder, sources) = sources(toml, environment);
    Settings::load(&sources).map_err(|problems| problems.to_string())
}

fn refusal(toml: &str, environment: &[(&str, &str)]) -> String {
    load(toml, environment).unwrap_err()
}

#[test]
fn nothing_at_all_is_a_configuration() {
    let settings = Settings::load(&Sources::default()).unwrap();
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
    assert!(!settings.server.test_keys);
    assert_eq!(
        settings.database.url.expose_secret(),
        "sqlite://otpost.db?mode=rwc"
    );
    assert_eq!(
        settings.policy.expires_in_max,
        Policy::default().expires_in_max
    );
    assert_eq!(settings.peer_limit, Limit::new(100, 1));
    assert!(settings.server.trusted_proxies.is_empty());
    assert!(settings.projects.is_empty());
    assert_eq!(settings.mail.sending.product, Product::default());
}

#[test]
fn defaults_of_the_table_are_those_of_the_policy() {
    let read = Settings::load(&Sources::default()).unwrap().policy;
    assert_eq!(format!("{read:?}"), format!("{:?}", Policy::default()));
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let toml = "[server]\nlisten = \"127.0.0.1:1\"\ntest_keys = true\n[policy]\nresends_max = 2";
    let settings = load(toml, &[("OTPOST_SERVER__LISTEN", "127.0.0.1:2")]).unwrap();
    assert_eq!(settings.server.listen.port, 2);
    assert!(settings.server.test_keys);
    assert_eq!(settings.policy.resends_max, 2);
    assert_eq!(settings.policy.attempts_max, 5);
}

#[test]
fn a_text_of_digits_stays_a_text() {
    let settings = load("", &[("OTPOST_MAIL__PRODUCT", "007")]).unwrap();
    assert_eq!(settings.mail.sending.product.as_str(), "007");
    let refused = refusal("[mail]\nproduct = 7", &[]);
    assert!(
        refused.contains("mail.product (in ") && refused.contains("a text, not 7"),
        "{refused}"
    );
}

#[test]
fn lists_in_the_environment_are_separated_by_white_space() {
    let origins = "https://a.example \n https://b.example";
    let settings = load("", &[("OTPOST_SERVER__CORS_ORIGINS", origins)]).unwrap();
    assert_eq!(
        settings.server.cors_origins,
        ["https://a.example", "https://b.example"]
    );
    let relays = [("OTPOST_MAIL__RELAYS", "smtps://a.example smtps://b.example")];
    assert_eq!(load("", &relays).unwrap().mail.relays.len(), 2);
}

#[test]
fn a_variable_of_others_is_ignored_and_an_empty_one_is_not_set() {
    let environment = [
        ("OTPOST_PORT", "tcp://10.0.0.1:80"),
        ("OTPOST_SERVICE_HOST", "10.0.0.1"),
        ("OTPOST_CONFIG", "x"),
        ("HOME", "/root"),
        ("OTPOST_SERVER__LISTEN", ""),
    ];
    assert_eq!(load("", &environment).unwrap().server.listen.port, 8080);
}

#[test]
fn a_variable_that_lacks_an_underscore_is_refused_with_the_one_that_was_meant() {
    for (name, meant) in [
        ("OTPOST_DATABASE_URL", "OTPOST_DATABASE__URL"),
        ("OTPOST_SERVER_LISTEN", "OTPOST_SERVER__LISTEN"),
        ("OTPOST_MAIL_RELAYS", "OTPOST_MAIL__RELAYS"),
    ] {
        let refused = refusal("", &[(name, "x")]);
        assert!(
            refused.contains(name) && refused.contains(meant),
            "{refused}"
        );
    }
}

#[test]
fn an_unknown_name_is_refused_with_its_place_and_the_nearest_one() {
    let toml =
        "[server]\nlisen = \"127.0.0.1:1\"\n[nonsense]\n[projects.shop]\nform = \"a@b.example\"";
    let refused = refusal(toml, &[("OTPOST_POLICY__EXPIRES_MAX", "60")]);
    for part in [
        "server.lisen (in ",
        "did you mean server.listen?",
        "nonsense (in ",
        "projects.shop.form",
        "did you mean projects.shop.from?",
        "policy.expires_max (from OTPOST_POLICY__EXPIRES_MAX in the environment)",
        "did you mean policy.expires_in_max?",
    ] {
        assert!(refused.contains(part), "{part} is not in {refused}");
    }
}

#[test]
fn a_name_in_quotes_does_not_pass_for_two() {
    let refused = refusal("[projects]\n\"a.from\" = \"a@b.example\"", &[]);
    assert!(refused.contains("projects.\"a.from\""), "{refused}");
}

#[test]
fn a_number_out_of_its_bounds_is_refused_with_them() {
    for (toml, bounds) in [
        (
            "policy.expires_in_max = 86401",
            "from 30 to 86400, not 86401",
        ),
        ("policy.expires_in_max = 29", "from 30 to 86400"),
        ("policy.code_length_min = 3", "from 4 to 8"),
        ("policy.attempts_max = 0", "from 1 to 10"),
        ("limits.recipient_per_day = -1", "from 0 to"),
        ("limits.recipient_per_day = \"20\"", "from 0 to"),
        ("projects.shop.policy.attempts_max = 11", "from 1 to 10"),
    ] {
        let refused = refusal(toml, &[]);
        assert!(refused.contains(bounds), "{refused}");
    }
    let refused = refusal("", &[("OTPOST_POLICY__EXPIRES_IN_MAX", "1 hour")]);
    assert!(
        refused.contains("from 30 to 86400, not \"1 hour\""),
        "{refused}"
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let toml = "server.test_keys = 1\npolicy.resend = \"always\"\nlog.format = \"xml\"\n\
                limits.exempt_recipients = [\"@\"]\nserver.cors_origins = [\"*\"]\n\
                mail.from = \"nobody\"\nmail.locale = \"en_US!\"";
    let refused = refusal(toml, &[]);
    for part in [
        "server.test_keys",
        "\"repeat\" or \"renew\", not \"always\"",
        "\"text\" or \"json\"",
        "limits.exempt_recipients",
        "server.cors_origins",
        "mail.from",
        "mail.locale",
    ] {
        assert!(refused.contains(part), "{part} is not in {refused}");
    }
}

#[test]
fn no_error_shows_a_secret() {
    const SECRET: &str = "hunter2hunter2";
    for toml in [
        format!("[secrets]\nindex_key = [\"{SECRET}\"]"),
        format!("[secrets]\nmaster_keys = \"{SECRET}\""),
        format!("[secrets]\nindex_key = \"{SECRET}"),
        format!("[secrets]\nindex_key = {SECRET}"),
        format!("[mail]\nrelays = \"smtp://u:{SECRET}@a.example\""),
        format!("[mail]\nrelays = [[\"{SECRET}\"]]"),
        format!("[database]\nurl = {{ password = \"{SECRET}\" }}"),
    ] {
        let refused = refusal(&toml, &[]);
        assert!(!refused.contains(SECRET), "{refused}");
        assert!(refused.lines().count() > 1, "{refused}");
    }
    let refused = refusal("[secrets]\nindex_key = ", &[]);
    assert!(refused.contains("line 2"), "{refused}");
}

#[test]
fn a_secret_may_stand_in_a_file_that_either_layer_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "from the file\n").unwrap();
    let path = file.to_str().unwrap();
    let key = |toml: &str, environment: &[(&str, &str)]| {
        let settings = load(toml, environment).unwrap();
        settings
            .secrets
            .index_key
            .unwrap()
            .expose_secret()
            .to_owned()
    };
    let named = format!("secrets.index_key_file = '{path}'");
    assert_eq!(key(&named, &[]), "from the file");
    let variable = [("OTPOST_SECRETS__INDEX_KEY_FILE", path)];
    assert_eq!(
        key("secrets.index_key = 'from the TOML'", &variable),
        "from the file"
    );
    let variable = [("OTPOST_SECRETS__INDEX_KEY", "from the variable")];
    assert_eq!(key(&named, &variable), "from the variable");

    let both = format!("{named}\nsecrets.index_key = 'x'");
    assert!(refusal(&both, &[]).contains("remove one of the two"));
    let missing = refusal("secrets.index_key_file = '/nonexistent/key'", &[]);
    assert!(missing.contains("/nonexistent/key"), "{missing}");
}

#[test]
fn several_secrets_and_relays_may_stand_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list");
    std::fs::write(&file, "1:aaaa\n2:bbbb\n").unwrap();
    let path = file.to_str().unwrap();
    let environment = [
        ("OTPOST_SECRETS__MASTER_KEYS_FILE", path),
        ("OTPOST_MAIL__RELAYS_FILE", path),
        ("OTPOST_DATABASE__URL_FILE", path),
    ];
    let settings = load("", &environment).unwrap();
    assert_eq!(settings.secrets.master_keys.len(), 2);
    assert_eq!(settings.mail.relays.len(), 2);
    assert_eq!(settings.database.url.expose_secret(), "1:aaaa\n2:bbbb");
}

#[test]
fn a_file_of_secrets_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, sources) = sources("secrets.index_key = 'x'", &[]);
    let file = sources.file.clone().unwrap();
    for (mode, warnings) in [(0o600, 0), (0o640, 1), (0o604, 1)] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let settings = Settings::load(&sources).unwrap();
        assert_eq!(
            settings.warnings.len(),
            warnings,
            "{mode:o}: {:?}",
            settings.warnings
        );
    }
    std::fs::write(&file, "mail.product = 'x'").unwrap();
    assert!(Settings::load(&sources).unwrap().warnings.is_empty());
}

#[test]
fn a_relay_is_a_url_or_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "p@ss\n").unwrap();
    let toml = format!(
        "[mail]\nrelays = [\"smtps://a.example\", {{ url = \"smtps://u@b.example\", \
         password_file = '{}', max_connections = 4, max_per_second = 10 }}]",
        file.display()
    );
    let relays = load(&toml, &[]).unwrap().mail.relays;
    assert_eq!(relays[0].url.expose_secret(), "smtps://a.example");
    assert_eq!(relays[1].password.as_ref().unwrap().expose_secret(), "p@ss");
    assert_eq!(
        (relays[1].max_connections, relays[1].max_per_second),
        (Some(4), Some(10))
    );

    let refused = refusal(
        "[mail]\nrelays = [{ ulr = \"a\", max_connections = 0 }]",
        &[],
    );
    for part in [
        "[0].ulr",
        "did you mean url?",
        "[0].url is not set",
        "from 1 to 64",
    ] {
        assert!(refused.contains(part), "{part} is not in {refused}");
    }
}

#[test]
fn a_relay_has_as_many_connections_as_the_page_says() {
    let mut members = known::RELAY_MEMBERS.iter();
    let connections = members.find(|member| member.path == "max_connections");
    let default = RelaySettings::CONNECTIONS_DEFAULT.to_string();
    assert_eq!(connections.unwrap().default, Some(default.as_str()));
}

#[test]
fn a_footer_is_set_by_language_in_every_layer_and_for_a_project() {
    let toml = "[mail.footer]\nde = \"\"\"\nAcme GmbH\nHRB 1\n\"\"\"\nen = 'Acme Ltd'\nzh-Hant = 'x'\n\
                [projects.shop.footer]\nen = ''\n[projects.blog.footer]\nde = 'Blog'";
    let environment = [
        ("OTPOST_MAIL__FOOTER__EN", "Acme\nLondon"),
        ("OTPOST_PROJECTS__BLOG__FOOTER__EN", "Blog"),
    ];
    let settings = load(toml, &environment).unwrap();
    let footers = |sending: &Sending| -> Vec<_> {
        let footers = sending.footer.iter();
        footers
            .map(|(tag, text)| (tag.as_str().to_owned(), text.clone()))
            .collect()
    };
    let expected = |pairs: &[(&str, &str)]| -> Vec<_> {
        let pairs = pairs.iter();
        pairs
            .map(|(tag, text)| ((*tag).to_owned(), Footer::parse(text).unwrap()))
            .collect()
    };
    let (de, zh) = (("de", "Acme GmbH\nHRB 1"), ("zh-hant", "x"));
    assert_eq!(
        footers(&settings.mail.sending),
        expected(&[de, ("en", "Acme\nLondon"), zh])
    );
    let project = |name| &settings.projects[&ProjectName::parse(name).unwrap()].sending;
    assert_eq!(footers(project("shop")), expected(&[de, ("en", ""), zh]));
    let blog = [("de", "Blog"), ("en", "Blog"), zh];
    assert_eq!(footers(project("blog")), expected(&blog));

    for (toml, part) in [
        ("mail.footer = 'Acme'", "mail.footer (in "),
        ("mail.footer.de = 7", "a text, not 7"),
        ("mail.footer.de = \"a\\u001bb\"", "control characters"),
        ("mail.footer.\"d_e\" = 'x'", "BCP 47"),
        ("mail.footer.de.at = 'x'", "a text, not a table"),
        (
            "projects.a.foter.de = 'x'",
            "did you mean projects.a.footer.de?",
        ),
    ] {
        let refused = refusal(toml, &[]);
        assert!(refused.contains(part), "{toml}: {refused}");
    }
}

#[test]
fn a_project_has_what_it_does_not_set_from_all() {
    let toml = "[mail]\nfrom = \"a@b.example\"\nlocale = \"de\"\n\
                tone = \"informal\"\n[policy]\nattempts_max = 3\n\
                [projects.shop]\nproduct = \"Shop\"\n[projects.shop.policy]\nresends_max = 1\n\
                [projects.shop.limits]\nrecipient_per_day = 0\n[projects.blog]\nlocale = \"en\"\n\
                tone = \"formal\"";
    let settings = load(toml, &[("OTPOST_PROJECTS__SHOP__POLICY__RESEND", "renew")]).unwrap();
    let shop = &settings.projects[&ProjectName::parse("shop").unwrap()];
    assert_eq!(shop.sending.product.as_str(), "Shop");
    assert_eq!(shop.sending.tone, Tone::Informal);
    assert!(shop.sending.from.is_some());
    assert_eq!((shop.policy.attempts_max, shop.policy.resends_max), (3, 1));
    assert_eq!(shop.policy.language.as_str(), "de");
    assert_eq!(shop.policy.resend, ResendPolicy::Renew);
    let per_day = |policy: &Policy| policy.limits.recipient.per_day;
    assert_eq!(per_day(&shop.policy), Limit::new(0, 86_400));
    assert_eq!(per_day(&settings.policy), Limit::new(20, 86_400));
    let blog = &settings.projects[&ProjectName::parse("blog").unwrap()];
    assert_eq!(blog.policy.language.as_str(), "en");
    assert_eq!(blog.sending.tone, Tone::Formal);
    assert!(refusal("mail.tone = 'du'", &[]).contains("mail.tone"));
    assert!(refusal("[projects.Shop]\nproduct = \"x\"", &[]).contains("projects.Shop"));
}

#[test]
fn limits_are_those_that_are_set_and_a_project_overrides_them() {
    let toml = "[limits]\nrecipient_per_hour = 7\npeer_requests_per_second = 0\n\
                exempt_recipients = [\"qa@Example.com\", \"Example.NET\"]\n\
                [projects.shop.limits]\nclient_ip_per_day = 3\nexempt_recipients = []\n\
                recipient_per_day = 1";
    let environment = [("OTPOST_LIMITS__INSTALLATION_MAILS_PER_MINUTE", "9")];
    let settings = load(toml, &environment).unwrap();
    let (general, shop) = (
        &settings.policy.limits,
        &settings.projects[&ProjectName::parse("shop").unwrap()]
            .policy
            .limits,
    );
    assert_eq!(general.recipient.per_hour, Limit::new(7, 3_600));
    assert_eq!(shop.recipient.per_hour, Limit::new(7, 3_600));
    assert_eq!(general.client_ip_per_day, Limit::new(50, 86_400));
    assert_eq!(shop.client_ip_per_day, Limit::new(3, 86_400));
    assert_eq!(shop.recipient.per_day, Limit::new(1, 86_400));
    for limits in [general, shop] {
        let shared = limits.recipient_everywhere;
        assert_eq!(shared.per_hour, Limit::new(21, 3_600));
        assert_eq!(shared.per_day, Limit::new(60, 86_400), "one row, one limit");
    }
    let everywhere = Limit::new(9, 60);
    assert_eq!(general.installation_mails_per_minute, everywhere);
    assert_eq!(shop.installation_mails_per_minute, everywhere);
    assert!(settings.peer_limit.is_off());
    let (qa, other) = ("qa@example.com", "me@example.net");
    for address in [qa, other] {
        let address = Address::parse(address).unwrap();
        assert!(general.exempts(&address) && !shop.exempts(&address));
    }

    for name in ["installation_mails_per_minute", "peer_requests_per_second"] {
        let refused = refusal(&format!("projects.shop.limits.{name} = 1"), &[]);
        assert!(refused.contains(name), "{refused}");
    }
}

#[test]
fn a_development_run_has_the_limits_that_are_set_and_no_other() {
    let toml = "limits.recipient_per_hour = 10\n[projects.shop.limits]\nclient_ip_per_day = 3";
    let (_folder, sources) = sources(toml, &[]);
    let settings = Settings::load_over(&sources, &Defaults::of_development()).unwrap();
    let on = |policy: &Policy| -> Vec<_> {
        let quotas = quotas(&policy.limits).into_iter();
        quotas.filter(|(_, quota)| *quota > 0).collect()
    };
    assert_eq!(on(&settings.policy), [("recipient_per_hour", 10)]);
    let shop = &settings.projects[&ProjectName::parse("shop").unwrap()].policy;
    let expected = [("recipient_per_hour", 10), ("client_ip_per_day", 3)];
    assert_eq!(on(shop), expected);
    assert_eq!(shop.limits.client_ip_per_day, Limit::new(3, 86_400));
    assert!(settings.peer_limit.is_off());
    assert!(settings.policy.reserved_domains && shop.reserved_domains);
}

#[test]
fn a_proxy_is_an_address_or_a_network() {
    let toml = "server.trusted_proxies = [\"10.0.0.7\", \"10.1.0.0/16\", \"2001:db8::/32\"]";
    let proxies = load(toml, &[]).unwrap().server.trusted_proxies;
    assert_eq!(proxies.len(), 3);
    for text in ["proxy.example", "10.0.0.0/33", "*", ""] {
        let toml = format!("server.trusted_proxies = [\"10.0.0.7\", \"{text}\"]");
        let refused = refusal(&toml, &[]);
        assert!(
            refused.contains("server.trusted_proxies (in ") && refused.contains("10.0.0.0/8"),
            "{refused}"
        );
    }
}

#[test]
fn a_drain_leaves_time_to_end() {
    let drain = |secs: u32| load(&format!("server.drain_secs = {secs}"), &[]);
    assert_eq!(load("", &[]).unwrap().server.drain, Duration::ZERO);
    assert_eq!(drain(5).unwrap().server.drain, Duration::from_secs(5));
    let refused = drain(6).unwrap_err();
    assert!(refused.contains("from 0 to 5, not 6"), "{refused}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let sources = Sources {
        file: Some("/nonexistent/otpost.toml".into()),
        environment: Vec::new(),
    };
    let problems = Settings::load(&sources).unwrap_err().to_string();
    assert!(problems.contains("/nonexistent/otpost.toml"), "{problems}");
}

const EXAMPLE: &str = include_str!("../../../../config/otpost.example.toml");

/// The example, line by line: its section, and the line without the sign of a comment where that
/// hides a setting. The section is `None` in what is an example as a whole.
fn example() -> Vec<(Option<&'static str>, &'static str)> {
    let is_setting = |line: &str| {
        let (name, _) = line.split_once(" = ").unwrap_or_default();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.".contains(&byte);
        !name.is_empty() && name.bytes().all(is_name)
    };
    let mut section = None;
    let mut lines = Vec::new();
    // What stands above the first section is for the reader.
    for line in EXAMPLE.lines().skip_while(|line| !line.starts_with('[')) {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        if bare.starts_with('[') {
            section = (bare == line).then(|| bare.trim_matches(['[', ']']));
            lines.push((section, bare));
        } else if is_setting(bare) {
            lines.push((section, bare));
        }
    }
    lines
}

#[test]
fn what_the_example_comments_out_is_the_default() {
    let hidden = example().into_iter().filter(|(section, line)| {
        section.is_some() && (line.starts_with('[') || EXAMPLE.contains(&format!("\n# {line}\n")))
    });
    let lines: Vec<_> = hidden.map(|(_, line)| line).collect();
    assert!(lines.contains(&"expires_in_max = 3600"), "{lines:?}");

    let read = load(&lines.join("\n"), &[]).unwrap();

    let defaults = Settings::load(&Sources::default()).unwrap();
    assert_eq!(format!("{read:?}"), format!("{defaults:?}"));
}

#[test]
fn the_example_shows_every_default_and_holds_when_all_of_it_is_taken() {
    let shown = example();
    for setting in known::SETTINGS.iter().filter(|one| one.default.is_some()) {
        let (section, name) = setting.path.split_once('.').unwrap();
        let is_it = |(of, line): &&(Option<&str>, &str)| {
            *of == Some(section) && line.starts_with(&format!("{name} = "))
        };
        assert_eq!(shown.iter().filter(is_it).count(), 1, "{}", setting.path);
    }

    let uncommented = EXAMPLE.lines().map(|line| {
        let bare = line.strip_prefix("# ").unwrap_or_default();
        let is_taken = shown.iter().any(|(_, taken)| *taken == bare);
        if is_taken { bare } else { line }
    });
    let settings = load(&uncommented.collect::<Vec<_>>().join("\n"), &[]).unwrap();

    let shop = &settings.projects[&ProjectName::parse("shop").unwrap()];
    assert_eq!(shop.sending.product.as_str(), "Shop");
    assert_eq!(shop.sending.footer.len(), 1);
}

#[test]
fn the_page_of_all_settings_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let page = std::fs::read_to_string(path).unwrap();
    assert!(
        page == documentation(),
        "run `otpost check-config --documentation > docs/configuration.md`"
    );
}
