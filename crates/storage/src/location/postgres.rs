//! Where a URL of PostgreSQL points, and how safely it is reached.

use std::net::IpAddr;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::ConnectError;

/// The parameters that a URL may have. The driver would log the value of any other.
const PARAMETERS: [&str; 9] = [
    "application_name",
    "dbname",
    "host",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// A server, and who connects to which of its databases.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) options: PgConnectOptions,
}

impl Server {
    /// Reads a URL. What it leaves out comes from `PGHOST`, `PGUSER`, `PGPASSWORD` and the like,
    /// as with every other client. Off this host, the server must prove who it is unless the URL or
    /// `PGSSLMODE` says otherwise.
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
        let names: Vec<_> = parameters
            .split('&')
            .filter(|parameter| !parameter.is_empty())
            .map(|parameter| parameter.split('=').next().unwrap_or_default())
            .collect();
        if names.iter().any(|name| !PARAMETERS.contains(name)) {
            return Err(ConnectError::ServerParameter);
        }
        let mut options: PgConnectOptions = url.parse().map_err(|_| ConnectError::Server)?;
        // `Prefer` is what the driver takes where nobody said anything.
        let is_said = names.contains(&"sslmode");
        let is_default = matches!(options.get_ssl_mode(), PgSslMode::Prefer) && !is_said;
        if is_default && !is_on_this_host(&options) {
            options = options.ssl_mode(PgSslMode::VerifyFull);
        }
        Ok(Self { options })
    }

    /// Whether another machine could pass itself off as the server.
    pub(crate) fn is_unproven(&self) -> bool {
        let is_verified = matches!(self.options.get_ssl_mode(), PgSslMode::VerifyFull);
        !is_verified && !is_on_this_host(&self.options)
    }
}

/// Shows nothing: there may be a password in it.
impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server(..)")
    }
}

fn is_on_this_host(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> String {
        format!("{:?}", Server::parse(url).unwrap().options.get_ssl_mode())
    }

    #[test]
    fn a_server_off_this_host_must_prove_who_it_is() {
        for url in [
            "postgres://otpost@db.example/otpost",
            "postgresql://otpost:pw@192.0.2.1:5433/otpost",
            "postgres://otpost@localhost.example/otpost",
            "postgres://otpost@db.example/otpost?application_name=sslmode%3Ddisable",
            "postgres://otpost@db.example/otpost?application_name=sslmode=disable",
            "postgres://otpost@[2001:db8::1]/otpost",
        ] {
            assert_eq!(mode(url), "VerifyFull", "{url}");
            assert!(!Server::parse(url).unwrap().is_unproven(), "{url}");
        }
    }

    #[test]
    fn a_server_on_this_host_is_not_asked() {
        for url in [
            "postgres://otpost@localhost/otpost",
            "postgres://otpost@127.0.0.1/otpost",
            "postgres://otpost@[::1]/otpost",
            "postgres://otpost@%2Frun%2Fpostgresql/otpost",
            "postgres:///otpost?host=/run/postgresql",
        ] {
            assert_eq!(mode(url), "Prefer", "{url}");
            assert!(!Server::parse(url).unwrap().is_unproven(), "{url}");
        }
    }

    #[test]
    fn whoever_says_another_mode_gets_it_and_is_known() {
        for said in ["disable", "allow", "prefer", "require", "verify-ca"] {
            let url = format!("postgres://otpost@db.example/otpost?sslmode={said}");
            assert_eq!(mode(&url).to_lowercase(), said.replace('-', ""));
            assert!(Server::parse(&url).unwrap().is_unproven(), "{url}");
        }
    }

    #[test]
    fn a_url_that_is_refused_shows_no_password() {
        for url in [
            "postgres://otpost:pw-1@db.example/otpost?password=pw-1",
            "postgres://otpost:pw-1@db.example/otpost?sslmod=disable",
            "postgres://otpost:pw-1@db.example/otpost?sslmode=pw-1",
            "postgres://otpost:pw-1@db.example:port/otpost",
        ] {
            let refused = Server::parse(url).unwrap_err();
            let shown = format!("{refused} {refused:?}");
            assert!(!shown.contains("pw-1"), "{url}: {shown}");
        }
    }
}
