//! Storages with one flaw each.

mod keys;
mod outbox;
mod quotas;
mod sessions;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use otpost_domain::SessionId;
use otpost_ports::{LeaseToken, OutboxEntry, Vault};
use otpost_testkit::contract::Storage;
use otpost_testkit::{FakeVault, MemoryStore, Row};

use crate::{Control, assert_complete};
use quotas::Book;

/// What is wrong with a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    LosesTheVariables,
    IgnoresClosedOpenings,
    FindIgnoresTheProject,
    FindIgnoresTheMode,
    ApplyIgnoresTheProject,
    ApplyIgnoresTheMode,
    UnknownIsAnError,
    AnswersBeforeItCounts,
    RacesCommands,
    AnswersWithTheOldSession,
    CountsWhatWasNotJudged,
    KeepsTheSecretOfTheVerified,
    KeepsTheSecretOfTheExhausted,
    KeepsTheSecretOfTheOver,
    LeavesTheMailOfTheEnded,
    ResendGivesAttemptsBack,
    QueuesASecondMail,
    IgnoresHurry,
    RenewKeepsTheGeneration,
    HurriesASentMail,
    QueuesRefusedResends,
    PurgesEarly,
    PurgeKeepsTheSecret,
    PurgeExpiresTheVerified,
    PurgeLeavesTheMail,
    PurgeIgnoresItsLimit,
    ClaimLosesTheSecret,
    ClaimIgnoresLeases,
    RacesClaims,
    IgnoresTheDueTime,
    ClaimsTheNewestFirst,
    ClaimIgnoresItsLimit,
    QueuesEveryOpening,
    NeverTakesOver,
    IgnoresTheToken,
    SettlesAfterTheLease,
    SentIsNoTry,
    SentIsSentAgain,
    RetryForgetsTheReply,
    RetriesAtOnce,
    FailedForgetsTheReply,
    FailedIsTriedAgain,
    ReleasedIsATry,
    ReplacedMailKeepsItsLease,
    HurryEndsTheLease,
    RetryForgetsTheHurry,
    ListShowsTheSent,
    ListsTheNewestFirst,
    ListIgnoresItsLimit,
    RetryIgnoresTheFailed,
    RetryRevivesTheSent,
    ForgetsTheInstallation,
    ForgetsTheNetwork,
    CountsRecipientsPerProject,
    ChargesLate,
    KeepsWholeSeconds,
    OpensTheLimited,
    ChargesTheLimited,
    NamesTheShortestWait,
    WaitsWholeSeconds,
    RacesOpens,
    IgnoresTheExemption,
    LosesTheExemption,
    ForgetsUnknownVerifications,
    JudgesTheLimited,
    ChargesWhatWasNotJudged,
    ForgetsFailures,
    ForgetsFailuresOfProjects,
    ForgetsFailuresElsewhere,
    CountsTheMalformed,
    KeepsFailuresOfTheVerified,
    GivesNothingBack,
    IgnoresTheLadder,
    OpensTheHeld,
    ChargesTheHeld,
    JudgesTheHeld,
    MailsTheHeld,
    ForgetsResends,
    ChargesRefusedResends,
    MailsTheLimited,
    CountsTests,
    LedgerShowsOneSubject,
    LedgerForgetsWhatItShowed,
    PurgeForgetsFailures,
    OverwritesProjects,
    ListsProjectsBackwards,
    LosesTheExpiry,
    FindsAnyKey,
    KeepsKeysWithoutProject,
    ListsKeysBackwards,
    RevokesAnew,
    RevokesEverything,
}

const CONTROLS: &[Control<Flaw>] = &[
    (
        Flaw::LosesTheVariables,
        &["an_opened_session_is_found_with_every_field"],
    ),
    (
        Flaw::IgnoresClosedOpenings,
        &["a_session_can_be_opened_closed"],
    ),
    (
        Flaw::FindIgnoresTheProject,
        &["only_its_owner_finds_a_session"],
    ),
    (
        Flaw::FindIgnoresTheMode,
        &["only_its_owner_finds_a_session"],
    ),
    (
        Flaw::ApplyIgnoresTheProject,
        &[
            "only_its_owner_commands_a_session",
            "a_verification_charges_its_project_whatever_comes_of_it",
        ],
    ),
    (
        Flaw::ApplyIgnoresTheMode,
        &["only_its_owner_commands_a_session"],
    ),
    (
        Flaw::UnknownIsAnError,
        &[
            "a_session_that_was_never_opened_is_none",
            "a_verification_charges_its_project_whatever_comes_of_it",
            "a_refused_resend_charges_nothing",
        ],
    ),
    (
        Flaw::AnswersBeforeItCounts,
        &[
            "a_wrong_guess_is_counted_before_it_is_answered",
            "a_limited_verification_judges_nothing",
            "a_wrong_guess_is_a_failure_and_a_malformed_one_is_not",
        ],
    ),
    (
        Flaw::RacesCommands,
        &[
            "parallel_wrong_guesses_are_judged_attempts_max_times",
            "parallel_right_codes_verify_once",
            "parallel_verifications_are_judged_quota_times",
            "parallel_guesses_over_sessions_stay_below_the_ladder",
            "parallel_resends_are_mailed_quota_times",
        ],
    ),
    (
        Flaw::AnswersWithTheOldSession,
        &["the_answer_shows_the_session_as_it_is_stored"],
    ),
    (
        Flaw::CountsWhatWasNotJudged,
        &["a_guess_that_cannot_be_judged_is_not_counted"],
    ),
    (
        Flaw::KeepsTheSecretOfTheVerified,
        &["a_verified_session_has_no_secret"],
    ),
    (
        Flaw::KeepsTheSecretOfTheExhausted,
        &[
            "an_exhausted_session_has_no_secret",
            "the_ladder_binds_sessions_opened_before",
        ],
    ),
    (
        Flaw::KeepsTheSecretOfTheOver,
        &["a_session_found_over_has_no_secret"],
    ),
    (
        Flaw::LeavesTheMailOfTheEnded,
        &["a_session_that_ends_has_its_mail_taken_up_at_once"],
    ),
    (
        Flaw::ResendGivesAttemptsBack,
        &["a_resend_keeps_the_attempts"],
    ),
    (
        Flaw::QueuesASecondMail,
        &[
            "a_repeat_hurries_the_mail_that_waits",
            "a_mail_hurried_during_a_try_is_retried_at_once",
        ],
    ),
    (
        Flaw::IgnoresHurry,
        &[
            "a_repeat_hurries_the_mail_that_waits",
            "a_mail_hurried_during_a_try_is_retried_at_once",
        ],
    ),
    (
        Flaw::RenewKeepsTheGeneration,
        &[
            "a_renewed_code_replaces_the_mail_that_waits",
            "parallel_resends_are_mailed_quota_times",
        ],
    ),
    (
        Flaw::HurriesASentMail,
        &[
            "a_resend_after_the_mail_was_sent_queues_another",
            "a_resend_charges_its_project_and_its_recipient",
        ],
    ),
    (
        Flaw::QueuesRefusedResends,
        &[
            "a_refused_resend_queues_nothing",
            "a_hold_judges_and_mails_nothing",
        ],
    ),
    (
        Flaw::PurgesEarly,
        &[
            "a_purge_closes_at_the_hard_end_and_not_before",
            "a_purge_deletes_after_the_retention_and_not_before",
        ],
    ),
    (
        Flaw::PurgeKeepsTheSecret,
        &["a_purge_closes_at_the_hard_end_and_not_before"],
    ),
    (
        Flaw::PurgeExpiresTheVerified,
        &["a_purge_leaves_a_verified_session_verified"],
    ),
    (
        Flaw::PurgeLeavesTheMail,
        &["a_deleted_session_leaves_no_mail"],
    ),
    (Flaw::PurgeIgnoresItsLimit, &["a_purge_is_bounded"]),
    (
        Flaw::ClaimLosesTheSecret,
        &["a_claimed_mail_comes_with_its_session"],
    ),
    (
        Flaw::ClaimIgnoresLeases,
        &[
            "a_mail_is_not_leased_twice_at_a_time",
            "parallel_claimers_share_the_mails",
            "the_longest_due_are_claimed_first_and_no_more_than_asked_for",
            "a_hurried_mail_keeps_its_lease",
        ],
    ),
    (Flaw::RacesClaims, &["parallel_claimers_share_the_mails"]),
    (
        Flaw::IgnoresTheDueTime,
        &[
            "a_session_that_ends_has_its_mail_taken_up_at_once",
            "a_mail_is_not_claimed_before_it_is_due",
            "a_mail_to_retry_waits_until_it_is_due",
            "a_released_mail_is_anyones_and_was_not_tried",
            "an_operator_makes_a_mail_due",
        ],
    ),
    (
        Flaw::ClaimsTheNewestFirst,
        &["the_longest_due_are_claimed_first_and_no_more_than_asked_for"],
    ),
    (
        Flaw::ClaimIgnoresItsLimit,
        &["the_longest_due_are_claimed_first_and_no_more_than_asked_for"],
    ),
    (
        Flaw::QueuesEveryOpening,
        &[
            "a_session_can_be_opened_closed",
            "a_mail_opened_as_sent_is_never_claimed",
        ],
    ),
    (
        Flaw::NeverTakesOver,
        &[
            "a_lease_that_ran_out_is_taken_over",
            "a_lease_that_was_lost_settles_nothing",
        ],
    ),
    (
        Flaw::IgnoresTheToken,
        &["a_lease_that_was_lost_settles_nothing"],
    ),
    (Flaw::SettlesAfterTheLease, &["a_lease_settles_once"]),
    (Flaw::SentIsNoTry, &["a_sent_mail_is_done_with"]),
    (
        Flaw::SentIsSentAgain,
        &[
            "a_resend_after_the_mail_was_sent_queues_another",
            "a_limited_open_opens_nothing_and_charges_nothing",
            "a_sent_mail_is_done_with",
            "a_hurried_mail_keeps_its_lease",
            "the_list_shows_what_waits_or_failed",
            "an_operator_does_not_revive_a_sent_mail",
        ],
    ),
    (
        Flaw::RetryForgetsTheReply,
        &["a_mail_to_retry_waits_until_it_is_due"],
    ),
    (
        Flaw::RetriesAtOnce,
        &[
            "a_session_that_ends_has_its_mail_taken_up_at_once",
            "a_repeat_hurries_the_mail_that_waits",
            "a_mail_to_retry_waits_until_it_is_due",
            "an_operator_makes_a_mail_due",
        ],
    ),
    (
        Flaw::FailedForgetsTheReply,
        &["a_failed_mail_is_never_tried_again"],
    ),
    (
        Flaw::FailedIsTriedAgain,
        &[
            "a_resend_after_the_mail_was_sent_queues_another",
            "a_failed_mail_is_never_tried_again",
            "the_list_shows_what_waits_or_failed",
            "an_operator_makes_a_mail_due",
        ],
    ),
    (
        Flaw::ReleasedIsATry,
        &["a_released_mail_is_anyones_and_was_not_tried"],
    ),
    (
        Flaw::ReplacedMailKeepsItsLease,
        &["a_replaced_mail_ends_the_lease"],
    ),
    (
        Flaw::HurryEndsTheLease,
        &[
            "a_mail_hurried_during_a_try_is_retried_at_once",
            "a_hurried_mail_keeps_its_lease",
        ],
    ),
    (
        Flaw::RetryForgetsTheHurry,
        &["a_mail_hurried_during_a_try_is_retried_at_once"],
    ),
    (
        Flaw::ListShowsTheSent,
        &["the_list_shows_what_waits_or_failed"],
    ),
    (
        Flaw::ListsTheNewestFirst,
        &["the_list_shows_what_waits_or_failed"],
    ),
    (
        Flaw::ListIgnoresItsLimit,
        &["the_list_shows_what_waits_or_failed"],
    ),
    (
        Flaw::RetryIgnoresTheFailed,
        &["an_operator_makes_a_mail_due"],
    ),
    (
        Flaw::RetryRevivesTheSent,
        &["an_operator_does_not_revive_a_sent_mail"],
    ),
    (Flaw::OverwritesProjects, &["a_project_is_created_once"]),
    (
        Flaw::ListsProjectsBackwards,
        &["projects_are_listed_by_name"],
    ),
    (Flaw::LosesTheExpiry, &["a_key_is_found_with_every_field"]),
    (Flaw::FindsAnyKey, &["a_key_that_was_never_kept_is_none"]),
    (Flaw::KeepsKeysWithoutProject, &["a_key_needs_its_project"]),
    (Flaw::ListsKeysBackwards, &["keys_are_listed_oldest_first"]),
    (Flaw::RevokesAnew, &["a_key_is_revoked_for_good"]),
    (Flaw::RevokesEverything, &["nothing_else_is_revoked"]),
];

/// A [`MemoryStore`] behind a counter clerk with a bad habit.
struct Flawed {
    flaw: Option<Flaw>,
    inner: MemoryStore,
    vault: Arc<dyn Vault>,
    /// Held for the length of a command, so that a flaw is not also a race.
    lane: tokio::sync::Mutex<()>,
    /// What was answered and is not yet written.
    late: Mutex<Option<Row>>,
    /// What was charged and is not yet written.
    uncounted: Mutex<Option<Book>>,
    /// Mails whose sessions are gone.
    orphans: Mutex<Vec<OutboxEntry>>,
    /// Who settled what.
    settled: Mutex<BTreeMap<SessionId, LeaseToken>>,
}

impl Flawed {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }
}

#[expect(
    clippy::unused_async,
    reason = "the form in which a suite asks for an adapter"
)]
async fn storage(flaw: Option<Flaw>) -> ((), Storage) {
    let vault = Arc::new(FakeVault::new());
    let flawed = Flawed {
        flaw,
        inner: MemoryStore::new(vault.clone()),
        vault: vault.clone(),
        lane: tokio::sync::Mutex::default(),
        late: Mutex::default(),
        uncounted: Mutex::default(),
        orphans: Mutex::default(),
        settled: Mutex::default(),
    };
    ((), Storage::of(Arc::new(flawed), vault))
}

async fn broken(flaw: Option<Flaw>) -> Vec<&'static str> {
    use otpost_testkit::{
        key_store_contract, outbox_contract, quotas_contract, session_store_contract,
    };

    let mut broken = session_store_contract!(@list __contract_broken { storage(flaw) });
    broken.extend(quotas_contract!(@list __contract_broken { storage(flaw) }));
    broken.extend(outbox_contract!(@list __contract_broken { storage(flaw) }));
    broken.extend(key_store_contract!(@list __contract_broken { storage(flaw) }));
    broken
}

// One thread, so that races happen every time: each task goes on until it yields.
#[tokio::test]
async fn each_flaw_breaks_just_the_promises_that_it_should() {
    for (flaw, promises) in CONTROLS.iter().chain(quotas::CONTROLS) {
        assert_eq!(broken(Some(*flaw)).await, *promises, "{flaw:?}");
    }
}

#[tokio::test]
async fn a_storage_without_a_flaw_breaks_nothing() {
    assert_eq!(broken(None).await, Vec::<&str>::new());
}

#[test]
fn each_promise_is_broken_by_some_flaw() {
    use otpost_testkit::{
        key_store_contract, outbox_contract, quotas_contract, session_store_contract,
    };

    let sessions = session_store_contract!(@list __contract_names {});
    let quotas = quotas_contract!(@list __contract_names {});
    let outbox = outbox_contract!(@list __contract_names {});
    let keys = key_store_contract!(@list __contract_names {});
    let promises = [&sessions[..], &quotas, &outbox, &keys].concat();
    assert_complete(&promises, &[CONTROLS, quotas::CONTROLS].concat());
}
