//! What went wrong with a relay, and whose fault it is.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;

use lettre::transport::smtp;
use otpost_ports::{DeliveryError, Reply};

/// How far an exchange had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Waiting for a free connection, or for its turn.
    Turn,
    /// TCP, implicit TLS, greeting and EHLO.
    Connect,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// The final dot was sent.
    Message,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Turn => "its turn",
            Self::Connect => "connect",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Message => "the message",
        })
    }
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// This relay is of no use now; another may be. The message was certainly not taken.
    NextRelay,
    /// Try again later: the relay asks for it, or nobody knows what became of the message.
    Later,
    /// The message is refused for good.
    Refused,
}

/// Whom a failure speaks against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// Nobody: nothing was asked.
    Nobody,
    /// The relay, whatever the message.
    Relay,
    /// The relay, or this one sender, which it does not want.
    Sender,
    /// The relay, or the recipient's domain, which it may be waiting for itself.
    Domain,
    /// The one message: the relay works.
    Message,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) stage: Stage,
    pub(super) reply: Option<Reply>,
    /// In words without anything that a relay said, for that may name the recipient.
    pub(super) cause: String,
    /// When there may be a turn: so long from now. Nothing where it had one.
    pub(super) wait: Duration,
}

impl Failure {
    pub(super) fn new(stage: Stage, cause: impl Into<String>) -> Self {
        Self {
            stage,
            reply: None,
            cause: cause.into(),
            wait: Duration::ZERO,
        }
    }

    /// It was not even asked, and may be so long from now.
    pub(super) fn no_turn(cause: &str, wait: Duration) -> Self {
        Self {
            wait,
            ..Self::new(Stage::Turn, cause)
        }
    }

    pub(super) fn timed_out(stage: Stage) -> Self {
        Self::new(stage, "no answer in time")
    }

    /// It left; or else it said what answers nothing, and every later reply would be taken for
    /// another's.
    pub(super) fn unasked(stage: Stage) -> Self {
        Self::new(stage, "it spoke or left without being asked")
    }

    /// A reply that is positive and yet not the one that belongs here.
    pub(super) fn unexpected(stage: Stage, code: u16) -> Self {
        Self::new(stage, format!("the reply {code} does not belong here"))
    }

    pub(super) fn of(stage: Stage, error: &smtp::Error) -> Self {
        let Some(code) = error.status().map(u16::from) else {
            return Self::new(stage, cause_of(error));
        };
        let enhanced = error.source().and_then(|text| enhanced(&text.to_string()));
        let reply = Reply { code, enhanced };
        Self {
            reply: Some(reply),
            ..Self::new(stage, reply.to_string())
        }
    }

    /// Whether the relay was not even asked: it has no turn.
    pub(super) fn is_busy(&self) -> bool {
        self.stage == Stage::Turn
    }

    /// A 5xx until MAIL is the relay's own trouble: an expired password must not fail every mail
    /// for good. From RCPT on it is about this message.
    pub(super) fn verdict(&self) -> Verdict {
        let code = self.reply.map(|reply| reply.code);
        match (self.stage, code) {
            (Stage::Turn | Stage::Connect | Stage::StartTls | Stage::Auth | Stage::Mail, _)
            | (Stage::Rcpt | Stage::Data, None | Some(421)) => Verdict::NextRelay,
            (Stage::Rcpt | Stage::Data | Stage::Message, Some(500..)) => Verdict::Refused,
            // After the final dot, silence may mean that the message was taken: another relay
            // would send it twice.
            (Stage::Rcpt | Stage::Data, Some(_)) | (Stage::Message, _) => Verdict::Later,
        }
    }

    /// Also where the message may not go to another relay, its silence speaks against this one.
    pub(super) fn blame(&self) -> Blame {
        let code = self.reply.map(|reply| reply.code);
        match (self.stage, code) {
            (Stage::Turn, _) => Blame::Nobody,
            (Stage::Mail, Some(500..)) => Blame::Sender,
            (Stage::Connect | Stage::StartTls | Stage::Auth | Stage::Mail, _)
            | (Stage::Rcpt | Stage::Data | Stage::Message, Some(421)) => Blame::Relay,
            (Stage::Rcpt | Stage::Data | Stage::Message, None) => Blame::Domain,
            (Stage::Rcpt | Stage::Data | Stage::Message, Some(_)) => Blame::Message,
        }
    }

    /// What the caller is told, of the relay called `label`.
    pub(super) fn describe(&self, label: &str) -> String {
        format!("relay {label} at {}: {}", self.stage, self.cause)
    }

    pub(super) fn into_error(self, label: &str) -> DeliveryError {
        let cause = self.describe(label);
        let reply = self.reply;
        match self.verdict() {
            Verdict::Refused => DeliveryError::Permanent { cause, reply },
            Verdict::NextRelay | Verdict::Later => DeliveryError::Transient { cause, reply },
        }
    }
}

fn cause_of(error: &smtp::Error) -> String {
    if error.is_response() {
        return "what it answered is no SMTP".to_owned();
    }
    if error.is_client() {
        return "it does not offer what is needed".to_owned();
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            return inner.to_string();
        }
        source = inner.source();
    }
    "the connection failed".to_owned()
}

/// The enhanced status code (RFC 3463) that a reply's text begins with.
fn enhanced(text: &str) -> Option<(u8, u16, u16)> {
    let mut parts = text.split_whitespace().next()?.split('.');
    let class = parts.next()?.parse().ok()?;
    let subject = parts.next()?.parse().ok()?;
    let detail = parts.next()?.parse().ok()?;
    let is_code = matches!(class, 4 | 5) && parts.next().is_none();
    is_code.then_some((class, subject, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: [Option<u16>; 6] = [None, Some(354), Some(421), Some(450), Some(535), Some(550)];

    fn failure(stage: Stage, code: Option<u16>) -> Failure {
        let reply = code.map(|code| Reply {
            code,
            enhanced: None,
        });
        Failure {
            reply,
            ..Failure::new(stage, "")
        }
    }

    #[test]
    fn the_stage_and_the_code_decide_and_never_the_text() {
        for (stage, verdicts) in [
            (Stage::Turn, [Verdict::NextRelay; 6]),
            (Stage::Connect, [Verdict::NextRelay; 6]),
            (Stage::StartTls, [Verdict::NextRelay; 6]),
            (Stage::Auth, [Verdict::NextRelay; 6]),
            (Stage::Mail, [Verdict::NextRelay; 6]),
            (Stage::Rcpt, FROM_RCPT),
            (Stage::Data, FROM_RCPT),
            (Stage::Message, AFTER_THE_DOT),
        ] {
            for (code, verdict) in CODES.into_iter().zip(verdicts) {
                let found = failure(stage, code).verdict();
                assert_eq!(found, verdict, "{stage} {code:?}");
            }
        }
    }

    #[test]
    fn a_refusal_of_a_message_does_not_speak_against_its_relay() {
        let (relay, sender, domain, message) =
            (Blame::Relay, Blame::Sender, Blame::Domain, Blame::Message);
        let from_rcpt = [domain, message, relay, message, message, message];
        for (stage, blames) in [
            (Stage::Turn, [Blame::Nobody; 6]),
            (Stage::Connect, [relay; 6]),
            (Stage::StartTls, [relay; 6]),
            (Stage::Auth, [relay; 6]),
            (Stage::Mail, [relay, relay, relay, relay, sender, sender]),
            (Stage::Rcpt, from_rcpt),
            (Stage::Data, from_rcpt),
            (Stage::Message, from_rcpt),
        ] {
            for (code, blame) in CODES.into_iter().zip(blames) {
                assert_eq!(failure(stage, code).blame(), blame, "{stage} {code:?}");
            }
        }
    }

    const FROM_RCPT: [Verdict; 6] = [
        Verdict::NextRelay,
        Verdict::Later,
        Verdict::NextRelay,
        Verdict::Later,
        Verdict::Refused,
        Verdict::Refused,
    ];
    const AFTER_THE_DOT: [Verdict; 6] = [
        Verdict::Later,
        Verdict::Later,
        Verdict::Later,
        Verdict::Later,
        Verdict::Refused,
        Verdict::Refused,
    ];

    #[test]
    fn an_enhanced_code_is_read_from_the_front_only() {
        assert_eq!(enhanced("5.1.1 <a@b.example> unknown"), Some((5, 1, 1)));
        assert_eq!(enhanced("4.7.500"), Some((4, 7, 500)));
        for text in [
            "",
            "no 5.1.1",
            "5.1",
            "5.1.1.1",
            "2.1.5 fine",
            "10.0.0",
            "-5.1.1",
        ] {
            assert_eq!(enhanced(text), None, "{text}");
        }
    }
}
