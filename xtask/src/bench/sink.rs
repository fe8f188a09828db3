//! A mail server that takes everything at once, and remembers the code of every recipient.
//!
//! A thread a connection. Recipients are numbered, see [`address`], so that what is remembered is
//! a place in a list.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::problem::{Outcome, Problem};

/// Recipients have smaller numbers.
const RECIPIENTS: usize = 4_000_000;

/// What a place holds before the mail has come: no code is that long.
const NONE: u32 = u32::MAX;

/// The address of a recipient, of one of a hundred domains; always of one length.
pub(super) fn address(number: u32) -> String {
    format!("p{number:07}@m{:02}.example", number % 100)
}

/// A mail server on a free port of 127.0.0.1, which ends with the program.
pub(super) struct Sink {
    pub(super) port: u16,
    kept: Arc<Kept>,
}

struct Kept {
    mails: AtomicU64,
    codes: Vec<AtomicU32>,
}

impl Sink {
    pub(super) fn start() -> Outcome<Self> {
        let lost = |error| Problem::new(format!("cannot take mails: {error}"), "mend that");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(lost)?;
        let port = listener.local_addr().map_err(lost)?.port();
        let mut codes = Vec::new();
        codes.resize_with(RECIPIENTS, || AtomicU32::new(NONE));
        let kept = Arc::new(Kept {
            mails: AtomicU64::new(0),
            codes,
        });
        let shared = Arc::clone(&kept);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&shared);
                // One that breaks off is the sender's affair: the mail then is not counted.
                std::thread::spawn(move || converse(&stream, &kept));
            }
        });
        Ok(Self { port, kept })
    }

    /// Mails that were taken so far.
    pub(super) fn mails(&self) -> u64 {
        self.kept.mails.load(Ordering::Relaxed)
    }

    /// The code that was mailed to a recipient, six digits.
    pub(super) fn code(&self, number: u32) -> Option<String> {
        let place = self.kept.codes.get(usize::try_from(number).ok()?)?;
        let code = place.load(Ordering::Relaxed);
        (code != NONE).then(|| format!("{code:06}"))
    }
}

fn converse(stream: &TcpStream, kept: &Kept) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut output = stream;
    let mut input = BufReader::with_capacity(64 * 1024, stream);
    output.write_all(b"220 sink ESMTP\r\n")?;
    let mut line = Vec::new();
    let mut recipient = None;
    // Answers to what came in one piece leave in one piece.
    let mut answers = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let answer: &[u8] = match verb.as_slice() {
            b"EHLO" => b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            b"RCPT" => {
                recipient = number(&line);
                b"250 2.1.5 ok\r\n"
            }
            b"DATA" => {
                answers.extend_from_slice(b"354 go on\r\n");
                output.write_all(&answers)?;
                answers.clear();
                let code = message(&mut input, &mut line)?;
                if let (Some(number), Some(code)) = (recipient.take(), code)
                    && let Some(place) = kept.codes.get(number)
                {
                    place.store(code, Ordering::Relaxed);
                }
                kept.mails.fetch_add(1, Ordering::Relaxed);
                b"250 2.0.0 taken\r\n"
            }
            b"QUIT" => {
                answers.extend_from_slice(b"221 2.0.0 bye\r\n");
                return output.write_all(&answers);
            }
            _ => b"250 2.0.0 ok\r\n",
        };
        answers.extend_from_slice(answer);
        if input.buffer().is_empty() {
            output.write_all(&answers)?;
            answers.clear();
        }
    }
}

/// The number in `RCPT TO:<p0000012@m12.example>`.
fn number(line: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(line).ok()?;
    let local = text.split_once("<p")?.1.split_once('@')?.0;
    local.parse().ok()
}

/// Reads a message to its end; answers the six digits in its subject.
fn message(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<u32>> {
    let mut code = None;
    loop {
        line.clear();
        if input.read_until(b'\n', line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(code);
        }
        if code.is_none() && line.starts_with(b"Subject:") {
            code = six_digits(line);
        }
    }
}

fn six_digits(line: &[u8]) -> Option<u32> {
    let words = line.split(|byte| !byte.is_ascii_digit());
    let digits = words.into_iter().find(|word| word.len() == 6)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_code_is_found_by_the_number_of_its_recipient() {
        let sink = Sink::start().unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, sink.port)).unwrap();
        write!(
            stream,
            "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<{}>\r\nDATA\r\n\
             Subject: 012345 is your code\r\n\r\n999999\r\n.\r\nQUIT\r\n",
            address(7)
        )
        .unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();

        assert!(
            said.ends_with("250 2.0.0 taken\r\n221 2.0.0 bye\r\n"),
            "{said}"
        );
        assert_eq!(sink.code(7).as_deref(), Some("012345"));
        assert_eq!((sink.code(8), sink.mails()), (None, 1));
    }

    #[test]
    fn addresses_are_of_one_length() {
        assert_eq!(address(0).len(), address(1_234_567).len());
    }
}
