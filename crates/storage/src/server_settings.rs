//! What a server is told: by each connection, and by the transactions that are different.

/// What a connection is told. A statement gives up before its caller does, so that no work is left
/// behind on the server; a node that freezes in a transaction holds its rows for a bounded time.
///
/// A plan is kept for as long as the connection: one that was made while the partition of a day was
/// empty must not read it whole when it no longer is. What has no index is read whole all the same,
/// but looks so dear then that it would be compiled first.
pub(crate) const SETTINGS: [(&str, &str); 8] = [
    ("statement_timeout", "1500"),
    // What somebody holds is waited for by those who ask for it, each alone, and not by all who share a
    // commit.
    ("lock_timeout", "300"),
    ("idle_in_transaction_session_timeout", "10000"),
    ("enable_seqscan", "off"),
    ("jit", "off"),
    // Planning for the rows of each batch anew takes as long as carrying it out.
    ("plan_cache_mode", "force_generic_plan"),
    // They would read what is joined whole, as many as the planner thinks that rows are asked for.
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
];

/// What a transaction of one caller says first, and one command that did not get its row at once. It is
/// longer than `deadlock_timeout`, which is 1 s: a circle is to be told as one.
pub(crate) const BEGIN_PATIENTLY: &str = "SET LOCAL lock_timeout = 1300";

/// The isolation that locks on rows are made for, and the default of most servers.
pub(crate) const ISOLATION: &str = "read committed";

/// How each transaction begins behind a pooler: it may be the first on its connection, and another
/// client's prepared statements be there under the names that the driver is about to use.
pub(crate) fn begin_behind_a_pooler() -> String {
    let settings = SETTINGS.map(|(name, value)| format!("; SET LOCAL {name} = {value}"));
    format!(
        "SET TRANSACTION ISOLATION LEVEL {ISOLATION}; DEALLOCATE ALL{}",
        settings.concat()
    )
}

/// What work in the background says first: it takes the time it takes, and does not wait long for a
/// lock, for others wait behind it.
pub(crate) const BEGIN_IN_THE_BACKGROUND: &str = "SET LOCAL statement_timeout = 0; \
     SET LOCAL lock_timeout = 150";

/// What a migration says first. The lock is one of the whole database, and ends with the
/// transaction; its number is drawn, and no other program's.
pub(crate) fn begin_migration(has_partitions: bool) -> String {
    format!(
        "SET LOCAL statement_timeout = 0; \
         SET LOCAL lock_timeout = 0; \
         SET LOCAL idle_in_transaction_session_timeout = 0; \
         SET LOCAL otpost.has_partitions = '{has_partitions}'; \
         SELECT pg_advisory_xact_lock(7310584012345908)"
    )
}
