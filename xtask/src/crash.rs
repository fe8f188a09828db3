//! The real binary killed under load, as often as one likes: no accepted mail is lost.

use crate::problem::{Outcome, Problem};
use crate::process::{cargo, run};

/// Kills it `kills` times. The suite has a short form of this.
pub(crate) fn run_for(kills: &str) -> Outcome {
    if !kills.parse::<u32>().is_ok_and(|kills| kills > 0) {
        return Err(Problem::new(
            format!("`{kills}` is no number of kills"),
            "such as: cargo xtask crash --kills 200",
        ));
    }
    let words = ["test", "--package", "otpost", "--test", "it", "crash::"];
    let mut command = cargo(&[&words[..], &["--", "--nocapture"]].concat());
    command.env("OTPOST_CRASH_KILLS", kills);
    run(
        &mut command,
        "a mail was lost: the test says which promise broke",
    )
}
