//! The parts of a run, each of which can be asked for by its name.

mod footprint;
mod growth;
mod latency;
mod mails;
mod nodes;
mod one_session;
mod overload;
mod send;
pub(super) mod verify;

use super::lab::Lab;
use super::measure::Measure;
use crate::problem::Outcome;

/// What measures.
pub(super) type Part = fn(&Lab) -> Outcome<Vec<Measure>>;

/// All of them, in the order of the goals.
pub(super) const ALL: [(&str, Part); 9] = [
    ("verify", verify::measure),
    ("send", send::measure),
    ("mails", mails::measure),
    ("latency", latency::measure),
    ("one-session", one_session::measure),
    ("growth", growth::measure),
    ("footprint", footprint::measure),
    ("nodes", nodes::measure),
    ("overload", overload::measure),
];
