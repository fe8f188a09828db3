//! The SMTP courier of `mail.relays`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use otpost_mail::{RelaySettings, Renderer, SmtpCourier};
use secrecy::ExposeSecret as _;

use crate::settings::{Problem, Relay};

/// A courier over the configured relays, none of which is connected yet.
///
/// # Errors
///
/// That there is none, or one that would send mail or a password in the clear, or cannot be used.
pub(crate) fn smtp_from_settings(
    relays: &[Relay],
    renderer: Arc<Renderer>,
) -> Result<SmtpCourier, Problem> {
    if relays.is_empty() {
        let what = "is empty: name at least one relay, such as \
                    smtp+starttls://user:password@smtp.example.com:587";
        return Err(problem(what));
    }
    let relays = relays
        .iter()
        .enumerate()
        .map(|(place, relay)| {
            relay_settings(relay).map_err(|what| problem(format!("[{place}] is refused: {what}")))
        })
        .collect::<Result<_, _>>()?;
    SmtpCourier::new(renderer, relays).map_err(|error| problem(format!("is refused: {error}")))
}

fn relay_settings(relay: &Relay) -> Result<RelaySettings, String> {
    let url = relay.url.expose_secret();
    let mut settings = match &relay.password {
        None => RelaySettings::from_url(url),
        Some(_) => RelaySettings::from_url(&with_empty_password(url)?),
    }
    .map_err(|error| error.to_string())?;
    if let (Some(password), Some(credentials)) = (&relay.password, &mut settings.credentials) {
        password
            .expose_secret()
            .clone_into(&mut credentials.password);
    }
    if let Some(file) = &relay.ca_file {
        let pem = std::fs::read(file);
        let pem = pem.map_err(|error| format!("ca_file {}: {error}", file.display()))?;
        settings.ca_pem = Some(pem);
    }
    let connections = relay
        .max_connections
        .and_then(|most| usize::try_from(most).ok());
    if let Some(most) = connections.and_then(NonZeroUsize::new) {
        settings.max_connections = most;
    }
    settings.max_per_second = relay.max_per_second.and_then(NonZeroU32::new);
    Ok(settings)
}

/// The URL of a relay whose password stands in a file: with a user and nothing behind it.
fn with_empty_password(url: &str) -> Result<String, &'static str> {
    let (before, place) = url
        .rsplit_once('@')
        .ok_or("password_file needs a user in the url")?;
    let user = before.rsplit("//").next().unwrap_or_default();
    match user.split_once(':') {
        None => Ok(format!("{before}:@{place}")),
        Some((_, "")) => Ok(url.to_owned()),
        Some(_) => Err("it has a password in the url and a password_file: remove one of the two"),
    }
}

fn problem(what: impl Into<String>) -> Problem {
    Problem::about("mail.relays", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(url: &str, password: Option<&str>) -> Relay {
        Relay {
            url: url.into(),
            password: password.map(Into::into),
            max_connections: Some(3),
            max_per_second: None,
            ca_file: None,
        }
    }

    #[test]
    fn a_password_from_a_file_joins_the_user_of_the_url() {
        for url in ["smtps://u%40x@a.example", "smtps://u%40x:@a.example:465"] {
            let settings = relay_settings(&relay(url, Some("p:@/"))).unwrap();
            let credentials = settings.credentials.unwrap();
            assert_eq!(
                (credentials.user.as_str(), credentials.password.as_str()),
                ("u@x", "p:@/")
            );
            assert_eq!(settings.max_connections.get(), 3);
        }
    }

    #[test]
    fn a_password_twice_or_without_a_user_is_refused_and_not_shown() {
        for url in ["smtps://u:hunter2@a.example", "smtps://a.example"] {
            let refused = relay_settings(&relay(url, Some("hunter2"))).unwrap_err();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
