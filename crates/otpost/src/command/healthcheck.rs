//! `otpost healthcheck`: for containers that have no curl.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::settings::Listen;
use crate::{Failure, say};

const DEADLINE: Duration = Duration::from_secs(5);
/// As much of an answer as is looked at, in bytes.
const ANSWER_MAX: u64 = 4096;

pub(super) async fn run(named: Option<PathBuf>, url: Option<String>) -> Result<(), Failure> {
    let (place, path) = match url {
        Some(url) => parse(&url)?,
        None => (
            super::load(named)?.server.listen.reachable(),
            "/readyz".to_owned(),
        ),
    };
    let asked = tokio::time::timeout(DEADLINE, ask(&place, &path)).await;
    let status = match asked {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => return Err(format!("{place} does not answer: {error}").into()),
        Err(_) => return Err(format!("{place} does not answer in time").into()),
    };
    if status == "200" {
        say("ready")
    } else {
        Err(format!("{place} is not ready: it answers {status}").into())
    }
}

fn parse(url: &str) -> Result<(Listen, String), Failure> {
    let rest = url
        .strip_prefix("http://")
        .ok_or("the URL must begin with http://")?;
    let (place, path) = match rest.split_once('/') {
        Some((place, path)) => (place, format!("/{path}")),
        None => (rest, "/readyz".to_owned()),
    };
    let place = Listen::parse(place).or_else(|_| Listen::parse(&format!("{place}:80")))?;
    Ok((place, path))
}

/// The status of the answer to a GET.
async fn ask(place: &Listen, path: &str) -> Result<String, Failure> {
    let mut stream = TcpStream::connect((place.host.as_str(), place.port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let mut words = answer.split_whitespace();
    match (words.next(), words.next()) {
        (Some(version), Some(status)) if version.starts_with("HTTP/1.") => Ok(status.to_owned()),
        _ => Err("that is no HTTP".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_place_and_path() {
        for (url, place, path) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080", "/readyz"),
            ("http://otpost/healthz", "otpost:80", "/healthz"),
            ("http://[::1]:81/", "[::1]:81", "/"),
        ] {
            let (found, found_path) = parse(url).unwrap();
            assert_eq!(
                (found.to_string().as_str(), found_path.as_str()),
                (place, path),
                "{url}"
            );
        }
        assert!(parse("https://otpost").is_err());
    }
}
