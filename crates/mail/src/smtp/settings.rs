//! What an operator says about a relay.

use std::fmt;
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

/// How the connection to a relay is protected. TLS certificates are always verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all: to this very machine only.
    Plain,
    /// By TLS after STARTTLS (RFC 3207), which the relay must offer.
    StartTls,
    /// By TLS from the first byte (RFC 8314).
    Tls,
}

/// A user of a relay and the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The password: no `Debug` shows it, nor does any error.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// How long a relay is waited for. A try as a whole has less time than all of this together, and a
/// relay before the last one less again, so that the next one still has its chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From the first packet until mail can be sent: connection, greeting, TLS and AUTH together.
    pub open: Duration,
    /// For the answer to one command.
    pub reply: Duration,
    /// For the answer to the message itself.
    pub verdict: Duration,
}

impl Default for Patience {
    /// 5 s to open and for a command, and 15 s for the message, which a relay may scan first.
    fn default() -> Self {
        Self {
            open: Duration::from_secs(5),
            reply: Duration::from_secs(5),
            verdict: Duration::from_secs(15),
        }
    }
}

/// A relay: where it is and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelaySettings {
    /// Host name or address, without brackets. A certificate must be for this name.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// For AUTH, which is done over TLS only.
    pub credentials: Option<Credentials>,
    /// Certificates in PEM. Where given, only they are trusted, and not those of the system.
    pub ca_pem: Option<Vec<u8>>,
    /// At most so many connections at a time.
    pub max_connections: NonZeroUsize,
    /// At most so many messages in a second, evenly spaced.
    pub max_per_second: Option<NonZeroU32>,
    /// What EHLO says; otherwise the domain of the sender.
    pub helo: Option<String>,
    /// How long it is waited for.
    pub patience: Patience,
}

/// Why a relay cannot be used as it is described. No case holds a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// There is none.
    #[error("at least one relay is needed")]
    None,
    /// The URL cannot be read.
    #[error(
        "the URL of a relay cannot be read: {0}; it is smtp://HOST[:PORT], \
         smtp+starttls://[USER:PASSWORD@]HOST[:PORT] or smtps://[USER:PASSWORD@]HOST[:PORT], with \
         user and password percent-encoded"
    )]
    Url(&'static str),
    /// Messages would cross a network in the clear.
    #[error("{0}: plain SMTP is for this very machine only; use smtp+starttls:// or smtps://")]
    PlainOffLoopback(String),
    /// A password would be sent in the clear.
    #[error("{0}: a user and a password need smtp+starttls:// or smtps://")]
    AuthWithoutTls(String),
    /// The host is not one.
    #[error("the host of a relay is a name or an address")]
    Host,
    /// The name for EHLO is none.
    #[error("{0}: the name for EHLO is a host name")]
    Helo(String),
    /// The certificates to trust cannot be read, or the system has none.
    #[error("{0}: the trusted certificates cannot be used: {1}")]
    Certificates(String, String),
}

impl RelaySettings {
    /// How many connections a relay gets unless told otherwise.
    pub const CONNECTIONS_DEFAULT: NonZeroUsize = NonZeroUsize::new(10).unwrap();

    /// Reads `smtp://host:25`, `smtp+starttls://user:pa%20ss@host:587` or
    /// `smtps://user:pa%20ss@host:465`. The port may be left out; those are the defaults.
    ///
    /// # Errors
    ///
    /// [`RelayError`], also where [`RelaySettings::check`] refuses the result.
    pub fn from_url(url: &str) -> Result<Self, RelayError> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or(RelayError::Url("it has no scheme"))?;
        let (security, port) = match scheme {
            "smtp" => (Security::Plain, 25),
            "smtp+starttls" => (Security::StartTls, 587),
            "smtps" => (Security::Tls, 465),
            _ => return Err(RelayError::Url("its scheme is another")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(read_credentials(user)?), place),
            None => (None, rest),
        };
        let (host, port) = read_place(place, port)?;
        let settings = Self {
            host,
            port,
            security,
            credentials,
            ca_pem: None,
            max_connections: Self::CONNECTIONS_DEFAULT,
            max_per_second: None,
            helo: None,
            patience: Patience::default(),
        };
        settings.check()?;
        Ok(settings)
    }

    /// Whether mail and password are safe on this way.
    ///
    /// # Errors
    ///
    /// [`RelayError`].
    pub fn check(&self) -> Result<(), RelayError> {
        if !is_host(&self.host) {
            return Err(RelayError::Host);
        }
        if self.helo.as_ref().is_some_and(|name| !is_host(name)) {
            return Err(RelayError::Helo(self.label()));
        }
        match self.security {
            Security::Plain if !self.is_loopback() => {
                Err(RelayError::PlainOffLoopback(self.label()))
            }
            Security::Plain if self.credentials.is_some() => {
                Err(RelayError::AuthWithoutTls(self.label()))
            }
            Security::Plain | Security::StartTls | Security::Tls => Ok(()),
        }
    }

    /// Host and port, for logs and errors.
    #[must_use]
    pub fn label(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

fn is_host(text: &str) -> bool {
    let is_name = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
    };
    text.parse::<IpAddr>().is_ok() || (!text.is_empty() && is_name(text))
}

fn read_place(place: &str, default_port: u16) -> Result<(String, u16), RelayError> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(RelayError::Host)?;
            let port = rest.strip_prefix(':');
            if port.is_none() && !rest.is_empty() {
                return Err(RelayError::Host);
            }
            (host, port)
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = match port {
        Some(port) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or(RelayError::Url("its port is no number from 1 to 65535"))?,
        None => default_port,
    };
    if is_host(host) {
        Ok((host.to_owned(), port))
    } else {
        Err(RelayError::Host)
    }
}

fn read_credentials(text: &str) -> Result<Credentials, RelayError> {
    let (user, password) = text
        .split_once(':')
        .ok_or(RelayError::Url("its user has no password"))?;
    let decode = |text| {
        percent_decode(text).ok_or(RelayError::Url(
            "a percent sign is not followed by two hexadecimal digits",
        ))
    };
    Ok(Credentials {
        user: decode(user)?,
        password: decode(password)?,
    })
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        rest = tail;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let digits = std::str::from_utf8(digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_how_and_as_whom() {
        for (url, label, security, user) in [
            ("smtp://localhost", "localhost:25", Security::Plain, None),
            (
                "smtp://127.1.2.3:2525/",
                "127.1.2.3:2525",
                Security::Plain,
                None,
            ),
            ("smtp://[::1]:2525", "[::1]:2525", Security::Plain, None),
            (
                "smtp+starttls://[::1]",
                "[::1]:587",
                Security::StartTls,
                None,
            ),
            (
                "smtp+starttls://a%40b:pa%20s%C3%A4%2F+@mail.example",
                "mail.example:587",
                Security::StartTls,
                Some(("a@b", "pa sä/+")),
            ),
            (
                "smtps://u:p:q@mail.example:1465",
                "mail.example:1465",
                Security::Tls,
                Some(("u", "p:q")),
            ),
            (
                "smtps://mail.example",
                "mail.example:465",
                Security::Tls,
                None,
            ),
        ] {
            let relay = RelaySettings::from_url(url).unwrap();
            assert_eq!(relay.label(), label, "{url}");
            assert_eq!(relay.security, security, "{url}");
            let found = relay.credentials.as_ref();
            let found = found.map(|one| (one.user.as_str(), one.password.as_str()));
            assert_eq!(found, user, "{url}");
        }
    }

    #[test]
    fn nothing_travels_in_the_clear_beyond_this_machine() {
        for url in [
            "smtp://mail.example",
            "smtp://10.0.0.1:25",
            "smtp://localhost.example",
        ] {
            let error = RelaySettings::from_url(url).unwrap_err();
            assert!(
                matches!(error, RelayError::PlainOffLoopback(_)),
                "{url}: {error}"
            );
        }
        let error = RelaySettings::from_url("smtp://u:p@localhost").unwrap_err();
        assert_eq!(error, RelayError::AuthWithoutTls("localhost:25".to_owned()));
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_no_message_holds_the_password() {
        for url in [
            "mail.example",
            "http://u:s3cret@mail.example",
            "smtps://s3cret@mail.example",
            "smtps://u:s3cret",
            "smtps://u:s3cret@",
            "smtps://u:s3cret@mail.example:0",
            "smtps://u:s3cret@mail.example:70000",
            "smtps://u:s3cret@mail.example/inbox",
            "smtps://u:s3cret@[::1",
            "smtps://u:s3cret@[::1]x",
            "smtps://u:s3cret%2@mail.example",
            "smtps://u:s3cret%zz@mail.example",
            "smtps://u:s3cret%ff@mail.example",
            "smtps://u:p@ma\r\nil.s3cret",
            "smtp://u:s3cret@mail.example",
        ] {
            let error = RelaySettings::from_url(url).unwrap_err();
            let all = format!("{error} {error:?}");
            assert!(!all.contains("s3cret"), "{all}");
        }
    }

    #[test]
    fn debug_output_does_not_hold_the_password() {
        let relay = RelaySettings::from_url("smtps://user:s3cret@mail.example").unwrap();
        assert!(!format!("{relay:?}").contains("s3cret"));
    }

    #[test]
    fn a_name_for_ehlo_is_no_place_for_commands() {
        let mut relay = RelaySettings::from_url("smtps://mail.example").unwrap();
        relay.helo = Some("a\r\nQUIT".to_owned());
        assert!(matches!(relay.check(), Err(RelayError::Helo(_))));
    }
}
