//! A message as it goes to a relay.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use lettre::Address as WireAddress;
use lettre::message::header::{
    ContentTransferEncoding, ContentType, HeaderName, HeaderValue, Headers,
};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use otpost_domain::{Address, Language, Timestamp};
use otpost_ports::{DeliveryError, Letter};

use crate::Sender;
use crate::catalogue::Content;

/// A whole message. The code stands in it, so it has no `Debug`.
pub struct Message {
    /// The subject, decoded.
    pub subject: String,
    /// The text part, decoded.
    pub text: String,
    /// The HTML part, decoded.
    pub html: String,
    /// The headers in order, encoded and unfolded: name and value.
    pub headers: Vec<(String, String)>,
    /// The bytes for the wire, before dots are stuffed: lines end with CRLF, all of it is ASCII.
    pub bytes: Vec<u8>,
    pub(crate) sender: WireAddress,
    pub(crate) recipient: WireAddress,
}

impl Message {
    pub(crate) fn build(
        letter: &Letter,
        sender: &Sender,
        language: &Language,
        content: Content,
    ) -> Result<Self, DeliveryError> {
        let from = wire(sender.address())?;
        let to = wire(&letter.to)?;
        let id = letter.message;
        let message = lettre::Message::builder()
            .date(system_time(letter.now))
            .from(Mailbox::new(
                Some(sender.display_name().to_owned()),
                from.clone(),
            ))
            .to(Mailbox::new(None, to.clone()))
            .subject(content.subject.clone())
            .message_id(Some(format!("<{id}@{}>", sender.address().domain())))
            .raw_header(header("Content-Language", language.as_str()))
            // RFC 3834: no vacation note answers this.
            .raw_header(header("Auto-Submitted", "auto-generated"))
            // MS-OXCMAIL 2.1.3.2.20; without DR and NDR, so that a bounce still comes back.
            .raw_header(header(
                "X-Auto-Response-Suppress",
                "OOF, AutoReply, RN, NRN",
            ))
            .multipart(
                MultiPart::alternative()
                    // Its own words, so that a retry sends the same bytes.
                    .boundary(format!("=_{id}"))
                    .singlepart(part(ContentType::TEXT_PLAIN, &content.text)?)
                    .singlepart(part(ContentType::TEXT_HTML, &content.html)?),
            )
            .map_err(|_| unwritable("the message cannot be written"))?;
        Ok(Self {
            subject: content.subject,
            text: content.text,
            html: content.html,
            headers: list(message.headers()),
            bytes: message.formatted(),
            sender: from,
            recipient: to,
        })
    }
}

/// RUSTSEC-2026-0561: a part that is encoded has no bare CR or LF and no line that begins with a
/// dot of its own.
fn part(kind: ContentType, text: &str) -> Result<SinglePart, DeliveryError> {
    let encoding = ContentTransferEncoding::QuotedPrintable;
    // lettre would insert one CR after the other, and move the rest of the text each time.
    let text = if text.contains('\r') {
        text.to_owned()
    } else {
        text.replace('\n', "\r\n")
    };
    let body = Body::new_with_encoding(text, encoding)
        .map_err(|_| unwritable("a part of the message cannot be encoded"))?;
    Ok(SinglePart::builder().header(kind).body(body))
}

/// What our own parser took, lettre must take too; it is never shown what ours refused.
fn wire(address: &Address) -> Result<WireAddress, DeliveryError> {
    WireAddress::from_str(address.as_str())
        .map_err(|_| unwritable("the address cannot be put on the wire"))
}

/// Why there is no message and never will be, however often it is tried.
pub(crate) fn unwritable(cause: &str) -> DeliveryError {
    DeliveryError::Permanent {
        cause: cause.to_owned(),
        reply: None,
    }
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn list(headers: &Headers) -> Vec<(String, String)> {
    let unfolded = headers.to_string().replace("\r\n ", " ");
    unfolded
        .split("\r\n")
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn system_time(now: Timestamp) -> SystemTime {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}
