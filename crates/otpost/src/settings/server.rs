//! `[server]`: where requests come in.

use std::fmt;
use std::time::Duration;

use otpost_domain::AddressRange;

use super::reader::Reader;

/// Where to listen. The port 0 takes any free one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listen {
    /// An address, or a name that has one.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
}

impl Listen {
    /// Reads `HOST:PORT`, an IPv6 address in brackets.
    ///
    /// # Errors
    ///
    /// Says what is expected.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let read = || {
            let (host, port) = text.trim().rsplit_once(':')?;
            let bare = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            let host = bare.unwrap_or(host);
            let is_plain = !host.is_empty() && (bare.is_some() || !host.contains(':'));
            let port = port.parse().ok()?;
            is_plain.then(|| Self {
                host: host.to_owned(),
                port,
            })
        };
        read().ok_or_else(|| format!("{text:?} is not HOST:PORT, such as 127.0.0.1:8080"))
    }

    /// Where this machine reaches it: loopback, where it listens on every address.
    #[must_use]
    pub(crate) fn reachable(&self) -> Self {
        let host = match self.host.as_str() {
            "0.0.0.0" => "127.0.0.1",
            "::" => "::1",
            host => host,
        };
        Self {
            host: host.to_owned(),
            port: self.port,
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Settings of the server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Where to listen.
    pub(crate) listen: Listen,
    /// Whether test keys are accepted.
    pub(crate) test_keys: bool,
    /// Origins of browsers that may call the API.
    pub(crate) cors_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Vec<AddressRange>,
    /// Threads that serve requests; `None`: one a processor.
    pub(crate) workers: Option<u32>,
    /// How long to serve on after a stop was announced, at most 5 s.
    pub(crate) drain: Duration,
}

impl Server {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        let listen = reader.parsed("server.listen", Listen::parse);
        let cors_origins = reader.list("server.cors_origins").unwrap_or_default();
        for origin in &cors_origins {
            if !is_origin(origin) {
                let what = format!(
                    "holds {origin:?}, which is no origin: write scheme, host and perhaps port, \
                     such as https://app.example.com"
                );
                reader.refuse("server.cors_origins", what);
            }
        }
        let drain_secs = reader.number("server.drain_secs").unwrap_or_default();
        Self {
            listen: listen.unwrap_or_default(),
            test_keys: reader.flag("server.test_keys").unwrap_or_default(),
            cors_origins,
            trusted_proxies: trusted_proxies(reader),
            workers: reader.number("server.workers"),
            drain: Duration::from_secs(drain_secs.into()),
        }
    }
}

fn trusted_proxies(reader: &mut Reader) -> Vec<AddressRange> {
    const PATH: &str = "server.trusted_proxies";
    let mut ranges = Vec::new();
    for text in reader.list(PATH).unwrap_or_default() {
        if let Ok(range) = text.parse() {
            ranges.push(range);
        } else {
            let what = format!(
                "holds {text:?}, which is neither an address such as 10.0.0.7 nor a network such \
                 as 10.0.0.0/8"
            );
            reader.refuse(PATH, what);
        }
    }
    ranges
}

/// An origin as browsers send it (RFC 6454, 7): no path, no wildcard.
fn is_origin(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|host| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"/?#*@".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_to_listen_is_host_and_port() {
        for text in ["127.0.0.1:8080", "[::1]:0", "localhost:65535", "0.0.0.0:80"] {
            assert_eq!(Listen::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "8080",
            ":8080",
            "localhost",
            "::1:8080",
            "a:65536",
            "a:",
            "a:-1",
        ] {
            assert!(Listen::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_origin_has_neither_path_nor_wildcard() {
        assert!(is_origin("https://app.example.com"));
        assert!(is_origin("http://localhost:3000"));
        for text in [
            "*",
            "app.example.com",
            "https://",
            "https://a.example/",
            "https://*.a.example",
        ] {
            assert!(!is_origin(text), "{text}");
        }
    }
}
