//! The ways in which a relay misbehaves.

use std::time::Duration;

/// A place in the conversation at which the relay speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Before anything was asked.
    Greeting,
    /// EHLO or HELO.
    Ehlo,
    /// STARTTLS.
    StartTls,
    /// AUTH, at its end.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// The final dot.
    EndOfData,
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
    /// Anything else.
    Unknown,
}

/// One way in which a relay misbehaves, for a whole connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It answers the verb in these words, without their last CRLF: a refusal, several lines, or
    /// what is no reply at all. What begins with 2 or 3 is taken for a success.
    Reply(Verb, String),
    /// It answers the verb in exactly these bytes. What begins with 2 or 3 is taken for a success.
    Bytes(Verb, Vec<u8>),
    /// It closes the connection in place of the answer.
    Close(Verb),
    /// It answers the verb as always, and closes the connection: after DATA, as soon as the message
    /// begins to come.
    CloseAfter(Verb),
    /// It never answers the verb.
    Hang(Verb),
    /// It answers the verb as always, one byte in each such time.
    Tarpit(Verb, Duration),
    /// It greets with so many bytes, in lines of one reply.
    HugeBanner(usize),
    /// It does not offer STARTTLS, and does not know it.
    StripStartTls,
    /// It answers the client's TLS handshake with what is none.
    BrokenTls,
    /// It misbehaves from RCPT on, and only where the recipient is in this domain or below it.
    For(String, Box<Fault>),
}

impl Fault {
    /// It answers the verb with this reply code, such as 421, 451 or 550.
    #[must_use]
    pub fn refuse(verb: Verb, code: u16) -> Self {
        Self::Reply(verb, format!("{code} not today"))
    }

    /// The same, for recipients in `domain` and below it only.
    #[must_use]
    pub fn only_for(self, domain: &str) -> Self {
        Self::For(domain.to_owned(), Box::new(self))
    }
}
