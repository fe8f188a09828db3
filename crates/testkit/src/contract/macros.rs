//! One list of promises per suite, and what can be made of such a list.

/// One test per promise of a [`SessionStore`](otpost_ports::SessionStore). Takes a future of
/// `Option<(what must live as long, Storage)>`, evaluated anew for every test.
#[macro_export]
macro_rules! session_store_contract {
    (@list $then:ident $args:tt) => {
        $crate::$then! { $args session_store:
            an_opened_session_is_found_with_every_field
            a_session_can_be_opened_closed
            only_its_owner_finds_a_session
            only_its_owner_commands_a_session
            a_session_that_was_never_opened_is_none
            a_session_past_its_retention_is_not_found_by_a_command
            a_wrong_guess_is_counted_before_it_is_answered
            parallel_wrong_guesses_are_judged_attempts_max_times
            parallel_right_codes_verify_once
            the_answer_shows_the_session_as_it_is_stored
            a_guess_that_cannot_be_judged_is_not_counted
            a_verified_session_has_no_secret
            an_exhausted_session_has_no_secret
            a_session_found_over_has_no_secret
            a_session_that_ends_has_its_mail_taken_up_at_once
            a_refused_resend_that_ends_a_session_hurries_its_mail
            an_ended_session_has_no_variables
            a_resend_keeps_the_attempts
            a_repeat_hurries_the_mail_that_waits
            a_renewed_code_replaces_the_mail_that_waits
            a_resend_after_the_mail_was_sent_queues_another
            a_refused_resend_queues_nothing
            a_purge_closes_at_the_hard_end_and_not_before
            a_purge_leaves_a_verified_session_verified
            a_purge_deletes_after_the_retention_and_not_before
            a_deleted_session_leaves_no_mail
            a_purge_is_bounded
        }
    };
    ($build:expr) => {
        $crate::session_store_contract! { @list __contract_tests { $build } }
    };
}

/// One test per promise of a [`SessionStore`](otpost_ports::SessionStore) about limits and the
/// ladder. Takes a future of
/// `Option<(what must live as long, Storage)>`, evaluated anew for every test.
#[macro_export]
macro_rules! quotas_contract {
    (@list $then:ident $args:tt) => {
        $crate::$then! { $args quotas:
            an_open_charges_everyone_concerned
            a_limited_open_opens_nothing_and_charges_nothing
            the_limit_that_waits_longest_is_named
            a_limited_open_is_admitted_once_it_has_waited
            parallel_opens_are_admitted_quota_times
            limits_of_a_recipient_are_threefold_over_projects
            exempt_recipients_are_not_counted
            a_verification_charges_its_project_whatever_comes_of_it
            a_limited_verification_judges_nothing
            parallel_verifications_are_judged_quota_times
            requests_that_overtake_one_another_use_up_the_whole_quota
            a_guess_that_cannot_be_judged_charges_nothing
            a_wrong_guess_is_a_failure_and_a_malformed_one_is_not
            a_success_starts_the_address_anew
            failures_are_counted_over_projects
            the_ladder_binds_sessions_opened_before
            parallel_guesses_over_sessions_stay_below_the_ladder
            past_its_failures_a_project_has_single_guesses
            a_hold_opens_nothing
            a_hold_judges_and_mails_nothing
            past_its_failures_a_strict_project_judges_nothing
            the_refusal_of_a_verification_that_waits_longest_is_named
            a_resend_charges_its_project_and_its_recipient
            a_refused_resend_charges_nothing
            a_limited_resend_changes_neither_session_nor_mail
            parallel_resends_are_mailed_quota_times
            a_test_key_touches_no_counter
            the_ledger_shows_what_was_charged_and_changes_nothing
            a_purge_forgets_no_failure
            a_purge_forgets_failures_after_a_year
            a_purge_ends_no_hold
            a_purge_forgets_what_was_forgiven_after_a_year
        }
    };
    ($build:expr) => {
        $crate::quotas_contract! { @list __contract_tests { $build } }
    };
}

/// One test per promise of a [`SessionStore`](otpost_ports::SessionStore) about requests that are
/// to be carried out once. Takes a future of
/// `Option<(what must live as long, Storage)>`, evaluated anew for every test.
#[macro_export]
macro_rules! idempotency_contract {
    (@list $then:ident $args:tt) => {
        $crate::$then! { $args idempotency:
            a_repeated_open_opens_nothing
            parallel_repeated_opens_open_once
            another_open_under_the_key_is_refused
            a_repeated_guess_is_no_attempt
            a_repeated_resend_mails_nothing
            parallel_repeated_guesses_are_judged_once
            parallel_repeated_resends_mail_once
            another_command_under_the_key_is_refused
            guesses_under_a_used_key_silence_its_answer
            a_repeated_success_says_the_address
            a_counted_verification_of_nothing_is_answered_again
            a_repetition_is_answered_where_a_limit_refuses
            a_refused_open_is_judged_anew
            a_refused_verification_is_judged_anew
            a_refused_resend_is_judged_anew
            what_could_not_be_judged_is_judged_anew
            an_answer_is_forgotten_when_its_time_is_over
            every_answer_is_said_again_as_it_was
            a_purge_forgets_answers_whose_time_is_over
        }
    };
    ($build:expr) => {
        $crate::idempotency_contract! { @list __contract_tests { $build } }
    };
}

/// One test per promise of an [`Outbox`](otpost_ports::Outbox). Takes a future of
/// `Option<(what must live as long, Storage)>`, evaluated anew for every test.
#[macro_export]
macro_rules! outbox_contract {
    (@list $then:ident $args:tt) => {
        $crate::$then! { $args outbox:
            a_claimed_mail_comes_with_its_session
            a_mail_is_not_leased_twice_at_a_time
            parallel_claimers_share_the_mails
            a_mail_is_not_claimed_before_it_is_due
            the_longest_due_are_claimed_first_and_no_more_than_asked_for
            a_mail_opened_as_sent_is_never_claimed
            a_mail_opened_under_a_lease_is_its_holders_alone
            a_lease_that_ran_out_is_taken_over
            a_lease_that_was_lost_settles_nothing
            a_lease_settles_once
            a_sent_mail_is_done_with
            a_mail_to_retry_waits_until_it_is_due
            a_failed_mail_is_never_tried_again
            a_released_mail_is_anyones_and_was_not_tried
            a_replaced_mail_ends_the_lease
            a_mail_hurried_during_a_try_is_retried_at_once
            a_hurried_mail_keeps_its_lease
            the_list_shows_what_waits_or_failed
            the_list_shows_what_is_asked_for
            an_operator_makes_a_mail_due
            an_operator_does_not_revive_a_sent_mail
            a_dropped_mail_is_never_sent
            a_dropped_mail_makes_way_for_another
        }
    };
    ($build:expr) => {
        $crate::outbox_contract! { @list __contract_tests { $build } }
    };
}

/// One test per promise of a [`KeyStore`](otpost_ports::KeyStore). Takes a future of
/// `Option<(what must live as long, Storage)>`, evaluated anew for every test.
#[macro_export]
macro_rules! key_store_contract {
    (@list $then:ident $args:tt) => {
        $crate::$then! { $args key_store:
            a_project_is_created_once
            projects_are_listed_by_name
            a_key_is_found_with_every_field
            a_key_that_was_never_kept_is_none
            a_key_needs_its_project
            keys_are_listed_oldest_first
            a_key_is_revoked_for_good
            nothing_else_is_revoked
            the_last_use_moves_only_forwards
            the_use_of_an_unknown_key_is_passed_over
        }
    };
    ($build:expr) => {
        $crate::key_store_contract! { @list __contract_tests { $build } }
    };
}

/// One test per promise of a [`RecipientStore`](otpost_ports::RecipientStore) and an
/// [`AuditLog`](otpost_ports::AuditLog). Takes a future of
/// `Option<(what must live as long, Storage)>`, evaluated anew for every test.
#[macro_export]
macro_rules! recipients_contract {
    (@list $then:ident $args:tt) => {
        $crate::$then! { $args recipients:
            a_look_shows_the_sessions_of_its_scope
            a_look_shows_the_newest_and_counts_all
            a_look_shows_the_failures_of_its_scope
            a_release_over_the_installation_ends_every_hold
            a_release_in_a_project_ends_the_hold_there_alone
            after_a_release_failures_count_anew_there
            after_a_success_elsewhere_nothing_is_forgiven
            a_release_of_one_without_failures_changes_nothing
            parallel_releases_release_once
            an_erasure_over_the_installation_leaves_nothing
            an_erasure_in_a_project_leaves_the_others
            the_only_project_erases_over_the_installation
            an_erasure_among_tests_leaves_all_that_is_live
            an_erasure_of_one_unknown_is_written_down
            an_erased_recipient_is_named_in_no_entry
            each_act_is_written_down
            what_changes_nothing_is_not_written_down
            the_newest_entries_come_first_and_no_more_than_asked_for
            entries_are_shown_of_one_recipient
            a_purge_forgets_old_entries
        }
    };
    ($build:expr) => {
        $crate::recipients_contract! { @list __contract_tests { $build } }
    };
}

/// One test per promise of an [`Inbox`](otpost_ports::Inbox). Takes a future of
/// `Option<(what must live as long, Mailbox)>`, evaluated anew for every test.
#[macro_export]
macro_rules! inbox_contract {
    (@list $then:ident $args:tt) => {
        $crate::$then! { $args inbox:
            a_captured_message_is_listed_as_it_was_sent
            the_newest_message_comes_first
            messages_are_filtered_by_the_whole_address
            messages_are_filtered_by_session
            a_removed_message_is_gone_and_the_others_stay
            a_cleared_inbox_is_empty_and_takes_new_messages
            an_arrival_wakes_whoever_waits
            an_arrival_before_the_wait_is_not_missed
            a_removal_wakes_whoever_waits
            a_quiet_inbox_wakes_nobody
        }
    };
    ($build:expr) => {
        $crate::inbox_contract! { @list __contract_tests { $build } }
    };
}

/// One test per promise of a [`Vault`](otpost_ports::Vault). Takes an adapter, evaluated anew
/// for every test.
#[macro_export]
macro_rules! vault_contract {
    (@list $then:ident $args:tt) => {
        $crate::$then! { $args vault:
            a_code_is_derived_again_from_the_same_facts
            a_code_has_the_length_asked_for
            a_code_depends_on_the_secret
            a_code_depends_on_the_session
            a_code_depends_on_the_address
            a_code_depends_on_the_length
            a_code_depends_on_the_generation
            an_unknown_key_derives_nothing
            no_two_secrets_agree
            a_recipient_has_one_digest_and_no_other_has_it
            a_network_has_one_digest_and_no_other_has_it
            an_idempotency_key_has_one_digest_and_no_other_has_it
            a_request_has_one_digest_and_no_other_has_it
            what_was_sealed_is_opened
            a_seal_hides_what_it_holds
            two_seals_of_one_value_differ
            a_seal_belongs_to_its_session
            a_seal_belongs_to_its_field
            a_seal_that_was_touched_is_not_opened
            an_api_key_has_one_digest_and_no_other_has_it
        }
    };
    ($build:expr) => {
        $crate::vault_contract! { @list __contract_tests_sync { $build } }
    };
}

/// A test of each promise of a suite whose port waits.
#[doc(hidden)]
#[macro_export]
macro_rules! __contract_tests {
    ({ $build:expr } $suite:ident: $($promise:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                // Whoever has nothing to test says so.
                if let Some((_keep, subject)) = $build.await {
                    $crate::contract::$suite::$promise(&subject).await;
                }
            }
        )*
    };
}

/// A test of each promise of a suite whose port does not wait.
#[doc(hidden)]
#[macro_export]
macro_rules! __contract_tests_sync {
    ({ $build:expr } $suite:ident: $($promise:ident)*) => {
        $(
            #[test]
            fn $promise() {
                let subject = $build;
                $crate::contract::$suite::$promise(&subject);
            }
        )*
    };
}

/// The names of the promises that an adapter breaks, for negative controls.
#[doc(hidden)]
#[macro_export]
macro_rules! __contract_broken {
    ({ $build:expr } $suite:ident: $($promise:ident)*) => {{
        let mut broken = Vec::new();
        $(
            let check = tokio::spawn(async move {
                let (_keep, subject) = $build.await;
                $crate::contract::$suite::$promise(&subject).await;
            });
            if check.await.is_err_and(|error| error.is_panic()) {
                broken.push(stringify!($promise));
            }
        )*
        broken
    }};
}

/// [`__contract_broken`] for a port that does not wait.
#[doc(hidden)]
#[macro_export]
macro_rules! __contract_broken_sync {
    ({ $build:expr } $suite:ident: $($promise:ident)*) => {{
        let mut broken = Vec::new();
        $(
            let check = std::panic::catch_unwind(|| {
                let subject = $build;
                $crate::contract::$suite::$promise(&subject);
            });
            if check.is_err() {
                broken.push(stringify!($promise));
            }
        )*
        broken
    }};
}

/// The names of all promises of a suite.
#[doc(hidden)]
#[macro_export]
macro_rules! __contract_names {
    ({} $suite:ident: $($promise:ident)*) => { [$(stringify!($promise)),*] };
}
