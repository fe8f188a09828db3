//! Whose rows a command needs.

use std::collections::BTreeSet;

use otpost_ports::{RecipientDigest, Subject};
use otpost_testkit::sample;

#[test]
fn a_limit_that_is_off_needs_no_row_that_others_share() {
    let recipient = RecipientDigest([7; 32]);
    let owner = sample::owner();
    let of_recipient = [
        Subject::recipient(&recipient),
        Subject::recipient_of(&owner.project, &recipient),
    ];
    let project = || Subject::project(&owner.project);
    for (limits, shared) in [
        (vec![], vec![]),
        (vec![("project_sends_per_minute", 1)], vec![project()]),
        (vec![("project_failures_per_day", 1)], vec![project()]),
        (
            vec![("installation_mails_per_minute", 1)],
            vec![Subject::installation()],
        ),
    ] {
        let subjects = sample::mail_quotas(&limits).subjects(&owner, Some(&recipient));
        let expected: BTreeSet<_> = shared.into_iter().chain(of_recipient.clone()).collect();
        assert_eq!(subjects, expected, "{limits:?}");
    }
}
