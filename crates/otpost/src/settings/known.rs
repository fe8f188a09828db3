//! Every setting that there is: its name, what it takes, its default and what it is for.

mod names;

pub(crate) use names::{is_section, levelled, lookup, nearest};

/// The highest limit that can be set.
const COUNT_MAX: u32 = 1_000_000;

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A text.
    Text,
    /// A whole number between two bounds, both included.
    Number(u32, u32),
    /// `true` or `false`.
    Flag,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Several texts.
    List,
    /// A text that is never shown again. `NAME_file` names a file that holds it.
    Secret,
    /// Several texts that are never shown again. `NAME_file` names a file that holds them.
    SecretList,
    /// Relays: URLs, or tables. `NAME_file` names a file that holds URLs.
    Relays,
}

impl Kind {
    /// Whether its value may not be shown, and may stand in a file of its own.
    pub(crate) const fn is_secret(self) -> bool {
        match self {
            Self::Secret | Self::SecretList | Self::Relays => true,
            Self::Text | Self::Number(..) | Self::Flag | Self::Choice(_) | Self::List => false,
        }
    }
}

/// The last part of a name that is there once a language.
const LOCALE: &str = "LOCALE";

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its dotted name; `NAME` stands for the name of a project, `LOCALE` for a language.
    pub(crate) path: &'static str,
    /// What it takes.
    pub(crate) kind: Kind,
    /// Its default, as TOML; `None` when it is not set.
    pub(crate) default: Option<&'static str>,
    /// Whether a project may have its own.
    pub(crate) per_project: bool,
    /// What it is for.
    pub(crate) doc: &'static str,
}

impl Setting {
    const fn new(
        path: &'static str,
        kind: Kind,
        default: Option<&'static str>,
        doc: &'static str,
    ) -> Self {
        Self {
            path,
            kind,
            default,
            per_project: false,
            doc,
        }
    }

    const fn per_project(mut self) -> Self {
        self.per_project = true;
        self
    }
}

/// A limit: a number of events, 0 for none.
const fn limit(path: &'static str, default: &'static str, doc: &'static str) -> Setting {
    Setting::new(path, Kind::Number(0, COUNT_MAX), Some(default), doc)
}

/// Every setting, section by section.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new(
        "server.listen",
        Kind::Text,
        Some(r#""127.0.0.1:8080""#),
        "Where to listen, as `HOST:PORT`. Put a reverse proxy with TLS in front.",
    ),
    Setting::new(
        "server.test_keys",
        Kind::Flag,
        Some("false"),
        "Whether test keys are accepted. Their sessions mail nothing and have a known code.",
    ),
    Setting::new(
        "server.cors_origins",
        Kind::List,
        Some("[]"),
        "Origins of browsers that may call the API, such as `https://app.example.com`. An API \
         key is a secret of servers: leave it empty unless you know why.",
    ),
    Setting::new(
        "server.trusted_proxies",
        Kind::List,
        Some("[]"),
        "Reverse proxies whose `X-Forwarded-For` is believed: addresses such as `10.0.0.7`, or \
         networks such as `10.0.0.0/8`. Every other peer counts as itself, in the limits and for \
         `key create --allow-ip`.",
    ),
    Setting::new(
        "server.workers",
        Kind::Number(1, 256),
        None,
        "Threads that serve requests. Unset: one a processor.",
    ),
    Setting::new(
        "server.drain_secs",
        Kind::Number(0, 5),
        Some("0"),
        "How long to serve on after SIGTERM, in seconds, while `/readyz` answers 503 and every \
         answer closes its connection. Behind a proxy that checks `/readyz`, set it to more than \
         the time between two checks times the failures until the proxy leaves: then a restart \
         fails no request. A second SIGTERM ends it at once.",
    ),
    Setting::new(
        "database.url",
        Kind::Secret,
        Some(r#""sqlite://otpost.db?mode=rwc""#),
        "The database: `sqlite://PATH`, relative to the working directory, or with three slashes \
         an absolute path; `?mode=rwc` makes the file when it is missing. Or a PostgreSQL server, \
         14 or newer: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with the parameters \
         `sslmode`, `sslrootcert`, `sslcert` and `sslkey`. A server on another host must prove \
         who it is (`verify-full`) unless `sslmode` says otherwise; `sslrootcert` names the file \
         of an authority of your own. What the URL leaves out comes from `PGPASSWORD`, \
         `PGPASSFILE` and the like.",
    ),
    Setting::new(
        "database.connections",
        Kind::Number(2, 200),
        Some("16"),
        "The most connections of one node to a PostgreSQL server. All nodes together stay below \
         the server's `max_connections`.",
    ),
    Setting::new(
        "database.pooler",
        Kind::Flag,
        Some("false"),
        "Whether a connection pooler, such as PgBouncer, stands before the \
         PostgreSQL server. Every transaction then begins with one more statement.",
    ),
    Setting::new(
        "database.partitions",
        Kind::Flag,
        Some("true"),
        "Whether `otpost migrate` makes the tables of sessions of one partition a day, which are \
         dropped whole when they are old. It counts when the tables are made. For PostgreSQL \
         alone; false for a database that only speaks its protocol and has no such partitions.",
    ),
    Setting::new(
        "mail.from",
        Kind::Text,
        None,
        "The sender, as `Name <address>` or an address alone. `serve` needs it.",
    ),
    Setting::new(
        "mail.product",
        Kind::Text,
        Some(r#""otpost""#),
        "The name of your product: it stands in the subject of every mail.",
    ),
    Setting::new(
        "mail.locale",
        Kind::Text,
        Some(r#""en""#),
        "The language of a mail whose request names none that there is, as a BCP 47 tag.",
    ),
    Setting::new(
        "mail.tone",
        Kind::Choice(&["formal", "informal"]),
        Some(r#""formal""#),
        "How mails speak to their reader, in a language that has both forms: German *Sie* or *du*.",
    ),
    Setting::new(
        "mail.footer.LOCALE",
        Kind::Text,
        None,
        "What stands below every mail in the language `LOCALE`, in one line or several: what the \
         law of your country wants below a business letter. There is one for each language.",
    ),
    Setting::new(
        "mail.templates",
        Kind::Text,
        None,
        "A folder of texts and layouts of your own: `LANGUAGE.texts`, `LANGUAGE.informal.texts`, \
         `layout.html` and `layout.txt`. What they leave out is as built in. See \
         [messages.md](messages.md); `otpost template check` says what is wrong with them.",
    ),
    Setting::new(
        "mail.relays",
        Kind::Relays,
        Some("[]"),
        "SMTP relays, the preferred first: URLs `smtps://`, `smtp+starttls://` or, to loopback \
         only, `smtp://`, with user and password percent-encoded; or tables, see below. `serve` \
         needs at least one.",
    ),
    Setting::new(
        "secrets.master_keys",
        Kind::SecretList,
        None,
        "The keys of which codes are derived and addresses are sealed, each `NUMBER:BASE64` with \
         32 random bytes. `otpost secrets new` makes one. `serve` needs it.",
    ),
    Setting::new(
        "secrets.active_key",
        Kind::Number(1, u32::MAX),
        None,
        "The number of the master key for new sessions. Unset: the only one that there is.",
    ),
    Setting::new(
        "secrets.index_key",
        Kind::Secret,
        None,
        "The key of the digests of addresses: base64 of 32 random bytes. Never change it. \
         `serve` needs it.",
    ),
    Setting::new(
        "policy.profile",
        Kind::Choice(&["standard", "strict"]),
        Some(r#""standard""#),
        "`strict` puts an address on hold after 100 wrong codes without a right one, until \
         `otpost recipient release ADDRESS`, and refuses \
         codes where a project has used up its wrong codes of the day. Under it `code_length_min` \
         is at least 6, `expires_in_max` at most 300, `code_lifetime_max` at most 600 and `resend` \
         always `renew`: a setting that contradicts is refused.",
    )
    .per_project(),
    Setting::new(
        "policy.expires_in_max",
        Kind::Number(30, 86_400),
        Some("3600"),
        "The longest `expires_in` that a caller may ask for, in seconds.",
    )
    .per_project(),
    Setting::new(
        "policy.code_length_min",
        Kind::Number(4, 8),
        Some("4"),
        "The least `code_length` that a caller may ask for. 6 is advised.",
    )
    .per_project(),
    Setting::new(
        "policy.attempts_max",
        Kind::Number(1, 10),
        Some("5"),
        "Guesses a session.",
    )
    .per_project(),
    Setting::new(
        "policy.resends_max",
        Kind::Number(0, 10),
        Some("4"),
        "Resends a session.",
    )
    .per_project(),
    Setting::new(
        "policy.session_cooldown",
        Kind::Number(0, 3_600),
        Some("30"),
        "Seconds between two mails of a session.",
    )
    .per_project(),
    Setting::new(
        "policy.code_lifetime_max",
        Kind::Number(1, 172_800),
        None,
        "How long one code may live over all its mails, in seconds. Unset: twice the session's \
         `expires_in`, at least 600.",
    )
    .per_project(),
    Setting::new(
        "policy.resend",
        Kind::Choice(&["repeat", "renew"]),
        Some(r#""repeat""#),
        "Whether a resend repeats a code that still has life enough, or always makes a new one.",
    )
    .per_project(),
    Setting::new(
        "policy.error_details",
        Kind::Flag,
        Some("true"),
        "Whether the answer to a refused code says why and how many attempts remain.",
    )
    .per_project(),
    Setting::new(
        "policy.unknown_members",
        Kind::Choice(&["refuse", "ignore"]),
        Some(r#""refuse""#),
        "What is done with members of a request that are not known.",
    )
    .per_project(),
    limit(
        "limits.project_sends_per_minute",
        "60",
        "Sends and resends of a project.",
    )
    .per_project(),
    limit(
        "limits.project_verifies_per_minute",
        "600",
        "Verifications of a project.",
    )
    .per_project(),
    limit(
        "limits.project_reads_per_minute",
        "1200",
        "Calls of `status` and of the recipient endpoints, per project. Each process counts \
         for itself.",
    )
    .per_project(),
    limit(
        "limits.recipient_per_10_minutes",
        "5",
        "Mails to one address in 10 minutes, for each project; threefold over all projects.",
    )
    .per_project(),
    limit(
        "limits.recipient_per_hour",
        "10",
        "Mails to one address in an hour, for each project; threefold over all projects.",
    )
    .per_project(),
    limit(
        "limits.recipient_per_day",
        "20",
        "Mails to one address in a day, for each project; threefold over all projects.",
    )
    .per_project(),
    limit(
        "limits.client_ip_per_10_minutes",
        "10",
        "Sends of a project for one `client_ip` in 10 minutes; IPv6 by its first 64 bits.",
    )
    .per_project(),
    limit(
        "limits.client_ip_per_day",
        "50",
        "Sends of a project for one `client_ip` in a day; IPv6 by its first 64 bits.",
    )
    .per_project(),
    limit(
        "limits.project_failures_per_day",
        "1000",
        "Wrong codes of a project in a day; each right one gives a fifth of one back. Past it nobody \
         is refused, but every session has one guess; the strict profile refuses.",
    )
    .per_project(),
    limit(
        "limits.installation_mails_per_minute",
        "0",
        "Mails of all projects together.",
    ),
    limit(
        "limits.peer_requests_per_second",
        "100",
        "Requests without a valid key from one peer. Each process counts for itself.",
    ),
    Setting::new(
        "limits.exempt_recipients",
        Kind::List,
        Some("[]"),
        "Addresses and domains without recipient limits, such as the mailbox of your own tests. An \
         address stands for its mailbox, whatever the `+tag`.",
    )
    .per_project(),
    Setting::new(
        "projects.NAME.from",
        Kind::Text,
        None,
        "The project's own sender.",
    ),
    Setting::new(
        "projects.NAME.product",
        Kind::Text,
        None,
        "The project's own product name.",
    ),
    Setting::new(
        "projects.NAME.locale",
        Kind::Text,
        None,
        "The project's own language.",
    ),
    Setting::new(
        "projects.NAME.tone",
        Kind::Choice(&["formal", "informal"]),
        None,
        "The project's own tone.",
    ),
    Setting::new(
        "projects.NAME.templates",
        Kind::Text,
        None,
        "The project's own folder of texts and layouts, in place of `mail.templates`; `\"\"` for \
         none.",
    ),
    Setting::new(
        "projects.NAME.footer.LOCALE",
        Kind::Text,
        None,
        "The project's own footer in the language `LOCALE`; `\"\"` for none.",
    ),
    Setting::new(
        "log.format",
        Kind::Choice(&["text", "json"]),
        Some(r#""text""#),
        "Lines for people, or JSON for machines. Logs go to standard error.",
    ),
    Setting::new(
        "log.level",
        Kind::Text,
        Some(r#""info""#),
        "`error`, `warn`, `info`, `debug` or `trace`, also by target, such as \
         `info,otpost_service=debug`. What could show secrets stays off at every level.",
    ),
];

/// Ending of the name of a setting that names a file with the value.
pub(crate) const FILE: &str = "_file";

/// The members of a relay that is a table.
pub(crate) const RELAY_MEMBERS: &[Setting] = &[
    Setting::new("url", Kind::Secret, None, "The relay's URL, as above."),
    Setting::new(
        "password_file",
        Kind::Text,
        None,
        "A file that holds the password of the URL's user.",
    ),
    Setting::new(
        "max_connections",
        Kind::Number(1, 64),
        Some("10"),
        "Connections at a time.",
    ),
    Setting::new(
        "max_per_second",
        Kind::Number(1, 1000),
        None,
        "Messages a second. Unset: as many as there are.",
    ),
    Setting::new(
        "ca_file",
        Kind::Text,
        None,
        "A PEM file of authorities: only they are trusted for this relay.",
    ),
];
