//! One connection that asks again and again, each time after the answer.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than the service keeps anybody waiting.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to the service.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back.
pub(super) struct Reply<'a> {
    pub(super) status: u16,
    pub(super) head: &'a str,
    pub(super) body: &'a str,
}

impl Connection {
    /// Connects to `HOST:PORT`.
    pub(super) fn open(host: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(4 * 1024),
        })
    }

    /// Sends a whole request, and waits for the whole answer.
    pub(super) fn ask(&mut self, request: &[u8]) -> io::Result<Reply<'_>> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let mut chunk = [0; 4 * 1024];
        loop {
            let count = self.stream.read(&mut chunk)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend_from_slice(&chunk[..count]);
            if let Some(end) = whole(&self.buffer)? {
                let text = std::str::from_utf8(&self.buffer).map_err(io::Error::other)?;
                let (head, body) = text.split_at(end);
                let status = head.get(9..12).and_then(|digits| digits.parse().ok());
                let status = status.ok_or_else(|| io::Error::other("that was not HTTP"))?;
                return Ok(Reply { status, head, body });
            }
        }
    }
}

/// Where the head of an answer ends, once all of the answer is there.
fn whole(answer: &[u8]) -> io::Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let end = end + 4;
    let head = std::str::from_utf8(&answer[..end]).map_err(io::Error::other)?;
    let length = header(head, "content-length").and_then(|length| length.parse::<usize>().ok());
    let length = length.ok_or_else(|| io::Error::other("an answer without a length"))?;
    Ok((answer.len() >= end + length).then_some(end))
}

/// The value of a header, whose name is in lower case.
pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut found = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_the_last_byte_of_its_body() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        assert_eq!(whole(&answer[..answer.len() - 1]).unwrap(), None);
        assert_eq!(whole(answer).unwrap(), Some(answer.len() - 2));
    }

    #[test]
    fn a_header_is_found_whatever_its_case() {
        let head = "HTTP/1.1 503 x\r\nRetry-After: 1\r\n\r\n";
        assert_eq!(header(head, "retry-after"), Some("1"));
        assert_eq!(header(head, "retry"), None);
    }
}
