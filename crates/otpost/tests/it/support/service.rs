//! An installation under test: a development run, or several nodes that mail over one relay.

use otpost_testkit::relay::{Received, Relay, Security};

use super::{Answer, Api, Asked, Otpost, Place, code_in, eventually, storm_on};

/// What callers may do as often as they like where a test says nothing else.
pub(super) const UNLIMITED: [&str; 8] = [
    "PROJECT_SENDS_PER_MINUTE",
    "PROJECT_VERIFIES_PER_MINUTE",
    "PROJECT_READS_PER_MINUTE",
    "PROJECT_FAILURES_PER_DAY",
    "RECIPIENT_PER_10_MINUTES",
    "RECIPIENT_PER_HOUR",
    "RECIPIENT_PER_DAY",
    "PEER_REQUESTS_PER_SECOND",
];

/// What callers ask, whichever node they reach.
pub(crate) struct Service {
    pub(crate) nodes: Vec<Otpost>,
    /// Of each node.
    pub(crate) apis: Vec<Api>,
    /// Takes the mails of nodes; a development run captures its own.
    relay: Option<Relay>,
    pub(crate) place: Place,
}

impl Service {
    /// A development run.
    pub(crate) fn dev(place: Place) -> Self {
        let (otpost, api) = place.dev();
        Self {
            nodes: vec![otpost],
            apis: vec![api],
            relay: None,
            place,
        }
    }

    /// Two nodes of `otpost serve` with the same configuration, on one database, which the first of
    /// them migrates; `None` where the tests have no server. `variables` are of both.
    pub(crate) async fn two_nodes(variables: &[(&str, &str)]) -> Option<Self> {
        let place = Place::server().await?;
        let relay = Relay::start(Security::Plain).await;
        place.init(&format!("[\"{}\"]", relay.url()));
        let mut service = Self {
            nodes: Vec::new(),
            apis: Vec::new(),
            relay: Some(relay),
            place,
        };
        service.nodes = vec![service.start(variables), service.start(variables)];
        let key = service.place.key(&[]);
        service.apis = service.nodes.iter().map(|node| node.api(&key)).collect();
        Some(service)
    }

    /// Starts one more node.
    pub(crate) fn start(&self, variables: &[(&str, &str)]) -> Otpost {
        let unlimited = UNLIMITED.map(|name| format!("OTPOST_LIMITS__{name}"));
        let unlimited = unlimited.iter().map(|variable| (variable.as_str(), "0"));
        let variables: Vec<_> = unlimited.chain(variables.iter().copied()).collect();
        self.place.serve_with(&variables)
    }

    /// As a line of a report names it.
    pub(crate) fn name(&self) -> String {
        let engine = self.place.engine();
        match self.nodes.len() {
            1 => format!("{engine}, one node"),
            count => format!("{engine}, {count} nodes"),
        }
    }

    pub(crate) fn relay(&self) -> &Relay {
        self.relay.as_ref().unwrap()
    }

    /// As [`storm`](super::storm), with the connections shared out over the nodes.
    pub(crate) async fn storm(&self, asked: Vec<Asked>) -> Vec<Answer> {
        storm_on(&self.apis, asked).await
    }

    /// The mails for an address so far.
    pub(crate) fn mails_to(&self, email: &str) -> Vec<Received> {
        let mut mails = self.relay().messages();
        mails.retain(|mail| mail.recipients.iter().any(|to| to == email));
        mails
    }

    /// The code of a session, from the last mail for its address.
    pub(crate) async fn code(&self, session: &str, email: &str) -> String {
        if self.relay.is_none() {
            return self.apis[0].code(session).await;
        }
        self.apis[0].wait_until_sent(session).await;
        let mail = eventually("the mail", async || self.mails_to(email).pop()).await;
        code_in(&mail.message(), 6)
    }
}
