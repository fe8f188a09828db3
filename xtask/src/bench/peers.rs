//! Other programs for the same task, as they were measured once; they are not measured again.

/// When: on two processors, which the load shared, as in every run of ours.
pub(super) const PEERS_OF: &str = "2026-11-22";

/// Figures of one program, the better of those that were measured.
pub(super) struct Peer {
    /// A second.
    pub(super) verify: f64,
    pub(super) send: f64,
    /// MB, the most.
    pub(super) memory: f64,
}

/// Go, with Redis that syncs every write.
pub(super) const OTPGATEWAY: Peer = Peer {
    verify: 1_384.0,
    send: 568.0,
    memory: 21.0,
};

/// The codes by e-mail of a library for Node, no mail sent.
pub(super) const BETTER_AUTH: Peer = Peer {
    verify: 144.0,
    send: 192.0,
    memory: 197.0,
};

/// What the page says of them.
pub(super) const TABLE: &str = "\
| program | verify a second | send a second | resident memory |
|---|---|---|---|
| otpgateway (Go), Redis with `appendfsync always`, send through a webhook | 1\u{202f}384 | 568 | 21 MB, and Redis |
| otpgateway, Redis that keeps nothing | 2\u{202f}937 | 1\u{202f}071 | 21 MB, and Redis |
| better-auth e-mail OTP (Node), SQLite, no mail sent | 144 | 118 | 150 – 197 MB |
| better-auth e-mail OTP (Node), PostgreSQL, no mail sent | 90 | 192 | 150 – 197 MB |
";
