//! The relay's side of one connection.

use std::io;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Fault, Log, Received, Security, Shared, Verb};

/// Holds the conversation from the first byte to the last.
pub(super) async fn hold(
    shared: &Shared,
    fault: Option<Fault>,
    mut stream: TcpStream,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if shared.settings.security == Security::Implicit {
        if fault == Some(Fault::BrokenTls) {
            return break_tls(&mut stream).await;
        }
        let stream = shared.acceptor.accept(stream).await?;
        let mut inside = Conversation::new(shared, fault, stream, true);
        inside.run(true).await?;
        return Ok(());
    }
    let mut outside = Conversation::new(shared, fault.clone(), stream, false);
    match outside.run(true).await? {
        End::Closed => Ok(()),
        End::StartTls => {
            // What the client sent in the clear after STARTTLS is dropped (RFC 3207, 4.2).
            let mut stream = outside.stream.into_inner();
            if fault == Some(Fault::BrokenTls) {
                return break_tls(&mut stream).await;
            }
            let stream = shared.acceptor.accept(stream).await?;
            let mut inside = Conversation::new(shared, fault, stream, true);
            inside.run(false).await?;
            Ok(())
        }
    }
}

async fn break_tls(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"this is no handshake\r\n").await?;
    stream.shutdown().await
}

/// How a conversation ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// With the connection.
    Closed,
    /// With another one inside of TLS.
    StartTls,
}

/// What happens after an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Continue,
    End(End),
}

/// How the client took to an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answered {
    Success,
    Refusal,
    /// The client got no whole answer, and never will.
    Never,
}

struct Conversation<'a, S> {
    shared: &'a Shared,
    fault: Option<Fault>,
    stream: BufReader<S>,
    is_encrypted: bool,
    user: Option<String>,
    from: Option<String>,
    recipients: Vec<String>,
    /// The domain of the last recipient that the client named.
    domain: Option<String>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Conversation<'a, S> {
    fn new(shared: &'a Shared, fault: Option<Fault>, stream: S, is_encrypted: bool) -> Self {
        Self {
            shared,
            fault,
            stream: BufReader::new(stream),
            is_encrypted,
            user: None,
            from: None,
            recipients: Vec::new(),
            domain: None,
        }
    }

    /// The fault that this very message meets.
    fn fault(&self) -> Option<&Fault> {
        match &self.fault {
            Some(Fault::For(domain, fault)) => self.is_for(domain).then_some(fault),
            fault => fault.as_ref(),
        }
    }

    fn is_for(&self, domain: &str) -> bool {
        let rest = self.domain.as_ref().and_then(|at| at.strip_suffix(domain));
        rest.is_some_and(|below| below.is_empty() || below.ends_with('.'))
    }

    async fn run(&mut self, greets: bool) -> io::Result<End> {
        if greets && self.greet().await? != Answered::Success {
            return Ok(End::Closed);
        }
        while let Some(line) = self.read_command().await? {
            match self.obey(&line).await? {
                Next::Continue => {}
                Next::End(end) => return Ok(end),
            }
        }
        Ok(End::Closed)
    }

    async fn greet(&mut self) -> io::Result<Answered> {
        let ready = "220 relay.example ESMTP";
        let Some(Fault::HugeBanner(bytes)) = self.fault else {
            return self.answer(Verb::Greeting, ready).await;
        };
        let line = format!("220-{}\r\n", "x".repeat(500));
        for _ in 0..bytes.div_ceil(line.len()) {
            self.write(line.as_bytes()).await?;
        }
        self.answer(Verb::Greeting, ready).await
    }

    async fn obey(&mut self, line: &str) -> io::Result<Next> {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" => {
                let extensions = self.extensions();
                self.step(Verb::Ehlo, &extensions).await
            }
            "STARTTLS" if self.offers_tls() => {
                match self.answer(Verb::StartTls, "220 go ahead").await? {
                    Answered::Success => Ok(Next::End(End::StartTls)),
                    Answered::Refusal => Ok(Next::Continue),
                    Answered::Never => Ok(Next::End(End::Closed)),
                }
            }
            "AUTH" if self.offers_login() => self.log_in(argument).await,
            "MAIL" => self.mail(argument).await,
            "RCPT" => self.rcpt(argument).await,
            "DATA" => self.data().await,
            "RSET" => {
                self.forget();
                self.step(Verb::Rset, "250 ok").await
            }
            "NOOP" => self.step(Verb::Noop, "250 ok").await,
            "QUIT" => {
                self.answer(Verb::Quit, "221 bye").await?;
                Ok(Next::End(End::Closed))
            }
            _ => self.step(Verb::Unknown, "502 5.5.1 what").await,
        }
    }

    fn extensions(&self) -> String {
        let mut lines = vec!["relay.example", "8BITMIME", "ENHANCEDSTATUSCODES"];
        if self.shared.settings.is_pipelined {
            lines.push("PIPELINING");
        }
        if self.offers_tls() {
            lines.push("STARTTLS");
        }
        if self.offers_login() {
            lines.push("AUTH PLAIN LOGIN");
        }
        let last = lines.pop().unwrap_or_default();
        let first: Vec<_> = lines.iter().map(|line| format!("250-{line}\r\n")).collect();
        format!("{}250 {last}", first.concat())
    }

    fn offers_tls(&self) -> bool {
        self.shared.settings.security == Security::StartTls
            && !self.is_encrypted
            && self.fault != Some(Fault::StripStartTls)
    }

    fn offers_login(&self) -> bool {
        let is_safe = self.is_encrypted || self.shared.settings.security == Security::Plain;
        self.shared.settings.credentials.is_some() && is_safe
    }

    async fn log_in(&mut self, argument: &str) -> io::Result<Next> {
        let Some((user, password)) = self.shared.settings.credentials.clone() else {
            return self.step(Verb::Auth, "502 5.5.1 no").await;
        };
        let (mechanism, initial) = argument.split_once(' ').unwrap_or((argument, ""));
        let is_right = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => {
                let given = self.ask_unless(initial, "334 ").await?;
                given == STANDARD.encode(format!("\0{user}\0{password}"))
            }
            "LOGIN" => {
                let name = self.ask_unless(initial, "334 VXNlcm5hbWU6").await?;
                let word = self.ask_unless("", "334 UGFzc3dvcmQ6").await?;
                name == STANDARD.encode(&user) && word == STANDARD.encode(&password)
            }
            _ => return self.step(Verb::Auth, "504 5.5.4 no such mechanism").await,
        };
        if !is_right {
            return self.step(Verb::Auth, "535 5.7.8 wrong").await;
        }
        let answered = self.answer(Verb::Auth, "235 2.7.0 welcome").await?;
        if answered == Answered::Success {
            self.user = Some(user);
        }
        Ok(next(answered))
    }

    /// What the client gave already, or else what it answers to `challenge`.
    async fn ask_unless(&mut self, given: &str, challenge: &str) -> io::Result<String> {
        if !given.is_empty() {
            return Ok(given.to_owned());
        }
        self.write(format!("{challenge}\r\n").as_bytes()).await?;
        Ok(self.read_command().await?.unwrap_or_default())
    }

    async fn mail(&mut self, argument: &str) -> io::Result<Next> {
        let settings = &self.shared.settings;
        if settings.security == Security::StartTls && !self.is_encrypted {
            return self.step(Verb::Mail, "530 5.7.0 STARTTLS first").await;
        }
        if settings.credentials.is_some() && self.user.is_none() {
            return self.step(Verb::Mail, "530 5.7.0 log in first").await;
        }
        let answered = self.answer(Verb::Mail, "250 2.1.0 ok").await?;
        if answered == Answered::Success {
            self.forget();
            self.from = Some(path(argument));
        }
        Ok(next(answered))
    }

    async fn rcpt(&mut self, argument: &str) -> io::Result<Next> {
        if self.from.is_none() {
            return self.step(Verb::Rcpt, "503 5.5.1 MAIL first").await;
        }
        let recipient = path(argument);
        let domain = recipient.rsplit_once('@').map(|(_, domain)| domain);
        self.domain = domain.map(str::to_owned);
        let answered = self.answer(Verb::Rcpt, "250 2.1.5 ok").await?;
        if answered == Answered::Success {
            self.recipients.push(recipient);
        }
        Ok(next(answered))
    }

    async fn data(&mut self) -> io::Result<Next> {
        if self.recipients.is_empty() {
            return self.step(Verb::Data, "503 5.5.1 RCPT first").await;
        }
        let answered = self.answer(Verb::Data, "354 go ahead").await?;
        if answered != Answered::Success {
            return Ok(next(answered));
        }
        let Some(data) = self.read_message().await? else {
            return Ok(Next::End(End::Closed));
        };
        if let Some(is_acknowledged) = self.fate() {
            let message = Received {
                from: self.from.take().unwrap_or_default(),
                recipients: std::mem::take(&mut self.recipients),
                data,
                is_encrypted: self.is_encrypted,
                user: self.user.clone(),
                is_acknowledged,
                received_at: Instant::now(),
            };
            // A relay keeps a message before it says so: whoever is told finds it.
            let keep = |log: &mut Log| log.messages.push(message);
            self.shared.log.send_modify(keep);
        }
        self.forget();
        self.step(Verb::EndOfData, "250 2.0.0 taken").await
    }

    /// Whether a message that is complete is taken, and if so whether the client will be told.
    fn fate(&self) -> Option<bool> {
        match self.fault() {
            Some(Fault::Reply(Verb::EndOfData, words)) => {
                is_success(words.as_bytes()).then_some(true)
            }
            Some(Fault::Bytes(Verb::EndOfData, bytes)) => is_success(bytes).then_some(true),
            Some(Fault::Close(at) | Fault::Hang(at)) => Some(*at != Verb::EndOfData),
            None
            | Some(
                Fault::Reply(..)
                | Fault::Bytes(..)
                | Fault::CloseAfter(_)
                | Fault::Tarpit(..)
                | Fault::HugeBanner(_)
                | Fault::StripStartTls
                | Fault::BrokenTls
                | Fault::For(..),
            ) => Some(true),
        }
    }

    fn forget(&mut self) {
        self.from = None;
        self.recipients.clear();
    }

    async fn step(&mut self, verb: Verb, reply: &str) -> io::Result<Next> {
        self.answer(verb, reply).await.map(next)
    }

    /// Answers `verb` with `reply`, unless the fault has other plans.
    async fn answer(&mut self, verb: Verb, reply: &str) -> io::Result<Answered> {
        match self.fault().cloned() {
            Some(Fault::Reply(at, words)) if at == verb => self.say(&words).await,
            Some(Fault::Bytes(at, bytes)) if at == verb => {
                self.write(&bytes).await?;
                Ok(answered(&bytes))
            }
            Some(Fault::Close(at)) if at == verb => Ok(Answered::Never),
            Some(Fault::CloseAfter(at)) if at == verb => {
                self.say(reply).await?;
                if verb == Verb::Data {
                    self.stream.fill_buf().await?;
                }
                Ok(Answered::Never)
            }
            Some(Fault::Hang(at)) if at == verb => self.ignore().await,
            Some(Fault::Tarpit(at, pause)) if at == verb => self.dribble(reply, pause).await,
            None
            | Some(
                Fault::Reply(..)
                | Fault::Bytes(..)
                | Fault::Close(_)
                | Fault::CloseAfter(_)
                | Fault::Hang(_)
                | Fault::Tarpit(..)
                | Fault::HugeBanner(_)
                | Fault::StripStartTls
                | Fault::BrokenTls
                | Fault::For(..),
            ) => self.say(reply).await,
        }
    }

    async fn say(&mut self, reply: &str) -> io::Result<Answered> {
        self.write(format!("{reply}\r\n").as_bytes()).await?;
        Ok(answered(reply.as_bytes()))
    }

    /// Reads on and says nothing, until the client leaves.
    async fn ignore(&mut self) -> io::Result<Answered> {
        let mut nothing = [0; 512];
        while self.stream.read(&mut nothing).await? > 0 {}
        Ok(Answered::Never)
    }

    async fn dribble(&mut self, reply: &str, pause: Duration) -> io::Result<Answered> {
        for byte in format!("{reply}\r\n").bytes() {
            tokio::time::sleep(pause).await;
            self.write(&[byte]).await?;
        }
        Ok(answered(reply.as_bytes()))
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// The next line without its end; `None` when the client left.
    async fn read_command(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        self.shared.log.send_modify(|log| log.commands.push(line));
        Ok(Some(text))
    }

    /// Everything up to a dot alone between two CRLF, and nothing that merely looks like it.
    async fn read_message(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut data = Vec::new();
        loop {
            let start = data.len();
            if self.stream.read_until(b'\n', &mut data).await? == 0 {
                return Ok(None);
            }
            let is_line_start = start == 0 || data[..start].ends_with(b"\r\n");
            if is_line_start && &data[start..] == b".\r\n" {
                data.truncate(start);
                return Ok(Some(data));
            }
        }
    }
}

const fn next(answered: Answered) -> Next {
    match answered {
        Answered::Success | Answered::Refusal => Next::Continue,
        Answered::Never => Next::End(End::Closed),
    }
}

fn answered(reply: &[u8]) -> Answered {
    if is_success(reply) {
        Answered::Success
    } else {
        Answered::Refusal
    }
}

fn is_success(reply: &[u8]) -> bool {
    matches!(reply.first(), Some(b'2' | b'3'))
}

/// The path in `FROM:<path> …` or `TO:<path> …`.
fn path(argument: &str) -> String {
    let path = argument
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    path.map(|(path, _)| path).unwrap_or_default().to_owned()
}
