//! Storages with one flaw each.

mod controls;
mod idempotency;
mod keys;
mod outbox;
mod quotas;
mod recipients;
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
    FindsTheForgotten,
    AnswersBeforeItCounts,
    RacesCommands,
    AnswersWithTheOldSession,
    CountsWhatWasNotJudged,
    KeepsTheSecretOfTheVerified,
    KeepsTheSecretOfTheExhausted,
    KeepsTheSecretOfTheOver,
    LeavesTheMailOfTheEnded,
    LeavesTheMailOfTheRefused,
    KeepsTheVariables,
    ResendGivesAttemptsBack,
    QueuesASecondMail,
    IgnoresHurry,
    RenewKeepsTheGeneration,
    HurriesASentMail,
    QueuesRefusedResends,
    PurgesEarly,
    PurgeKeepsTheSecret,
    PurgeKeepsTheVariables,
    PurgeExpiresTheVerified,
    PurgeLeavesTheMail,
    PurgeIgnoresItsLimit,
    PurgeSaysItIsDone,
    ClaimLosesTheSecret,
    ClaimIgnoresLeases,
    OpeningForgetsItsLease,
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
    ListsTheOldestFirst,
    ListIgnoresItsLimit,
    ListIgnoresItsQuery,
    RetryIgnoresTheFailed,
    RetryRevivesTheSent,
    DropsAnyMail,
    DropKeepsTheLease,
    DroppedIsQueued,
    DroppedIsListed,
    ForgetsTheInstallation,
    ForgetsTheNetwork,
    CountsRecipientsPerProject,
    ChargesLate,
    KeepsWholeSeconds,
    ForgetsWhenItCounted,
    OpensTheLimited,
    ChargesTheLimited,
    NamesTheShortestWait,
    WaitsWholeSeconds,
    RacesOpens,
    IgnoresTheExemption,
    LosesTheExemption,
    ForgetsUnknownVerifications,
    HidesUnknownVerifications,
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
    NamesFailuresFirst,
    NamesFailuresLast,
    TellsOfNoLastFailure,
    TellsOfEveryFailure,
    MailsTheHeld,
    ForgetsResends,
    ChargesRefusedResends,
    MailsTheLimited,
    CountsTests,
    LedgerShowsOneSubject,
    LedgerForgetsWhatItShowed,
    PurgeForgetsFailures,
    PurgeForgetsHolds,
    PurgeKeepsFailures,
    PurgeKeepsTheForgiven,
    OpensUnasked,
    CommandsUnasked,
    RepeatsAnyRequest,
    OpensRepetitions,
    ChargesRepetitions,
    CountsRepetitions,
    MailsRepetitions,
    LimitsRepetitions,
    KeepsTheLimited,
    KeepsTheHeld,
    KeepsTheEarly,
    KeepsTheUnjudged,
    ForgetsTheVerified,
    ForgetsTheUnknown,
    ForgetsNumbers,
    KeepsTheFirstAnswer,
    KeepsAnswersForEver,
    PurgeKeepsAnswers,
    PurgeForgetsAnswers,
    OverwritesProjects,
    ListsProjectsBackwards,
    LosesTheExpiry,
    FindsAnyKey,
    KeepsKeysWithoutProject,
    ListsKeysBackwards,
    RevokesAnew,
    RevokesEverything,
    LosesTheRanges,
    LosesTheLastUse,
    NotesAnyUse,
    RefusesUnknownUses,
    LooksEverywhere,
    LooksAtLiveAlone,
    ShowsTheOldest,
    CountsTheShown,
    LookIgnoresItsLimit,
    ShowsEveryFailure,
    ReleasesNobody,
    ReleasesEverywhere,
    ReleaseStartsLimitsAnew,
    ReleasesTests,
    LogsEveryRelease,
    RacesReleases,
    ForgivesForEver,
    EraseLeavesTheSessions,
    EraseLeavesTheMails,
    EraseLeavesTheAnswers,
    EraseLeavesTheCounters,
    EraseLeavesCountersOfProjects,
    ErasesCountersOfEveryProject,
    ErasesEverywhere,
    ErasesTheLive,
    ErasesStrangers,
    EraseLeavesTheName,
    ErasesEveryName,
    ErasesEntries,
    LogsNoErasure,
    EraseCountsNoProjects,
    ConflictsAreFree,
    ForgetsConflicts,
    LogLosesTheKey,
    LogLosesTheActor,
    LogsSecondProjects,
    LogsHomelessKeys,
    LogsSecondRevocations,
    LogsRevocationsOfNoProject,
    LogShiftsTheTime,
    LogShowsTheOldestFirst,
    LogIgnoresItsLimit,
    LogIgnoresTheRecipient,
    LogCountsBeforeItSelects,
    PurgeKeepsEntries,
    PurgeForgetsEntries,
}

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
        idempotency_contract, key_store_contract, outbox_contract, quotas_contract,
        recipients_contract, session_store_contract,
    };

    let mut broken = session_store_contract!(@list __contract_broken { storage(flaw) });
    broken.extend(quotas_contract!(@list __contract_broken { storage(flaw) }));
    broken.extend(idempotency_contract!(@list __contract_broken { storage(flaw) }));
    broken.extend(outbox_contract!(@list __contract_broken { storage(flaw) }));
    broken.extend(key_store_contract!(@list __contract_broken { storage(flaw) }));
    broken.extend(recipients_contract!(@list __contract_broken { storage(flaw) }));
    broken
}

/// The flaws of all storages.
fn controls() -> Vec<Control<Flaw>> {
    [
        controls::CONTROLS,
        quotas::CONTROLS,
        idempotency::CONTROLS,
        recipients::CONTROLS,
    ]
    .concat()
}

/// Each flaw breaks just the promises that it should. To be awaited on one thread, so that races
/// happen every time: each task goes on until it yields.
async fn assert_controls(controls: &[Control<Flaw>]) {
    let mut found = Vec::new();
    // Thousands of promises are broken here: nobody needs to read how.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    for (flaw, promises) in controls {
        found.push((flaw, broken(Some(*flaw)).await, promises));
    }
    std::panic::set_hook(hook);
    for (flaw, broken, promises) in found {
        assert_eq!(broken, *promises, "{flaw:?}");
    }
}

#[tokio::test]
async fn each_flaw_in_keeping_breaks_just_the_promises_that_it_should() {
    assert_controls(controls::CONTROLS).await;
}

#[tokio::test]
async fn each_flaw_in_counting_breaks_just_the_promises_that_it_should() {
    assert_controls(quotas::CONTROLS).await;
}

#[tokio::test]
async fn each_flaw_in_answering_again_breaks_just_the_promises_that_it_should() {
    assert_controls(idempotency::CONTROLS).await;
}

#[tokio::test]
async fn each_flaw_about_recipients_breaks_just_the_promises_that_it_should() {
    assert_controls(recipients::CONTROLS).await;
}

#[tokio::test]
async fn a_storage_without_a_flaw_breaks_nothing() {
    assert_eq!(broken(None).await, Vec::<&str>::new());
}

#[test]
fn each_promise_is_broken_by_some_flaw() {
    use otpost_testkit::{
        idempotency_contract, key_store_contract, outbox_contract, quotas_contract,
        recipients_contract, session_store_contract,
    };

    let sessions = session_store_contract!(@list __contract_names {});
    let quotas = quotas_contract!(@list __contract_names {});
    let idempotency = idempotency_contract!(@list __contract_names {});
    let outbox = outbox_contract!(@list __contract_names {});
    let keys = key_store_contract!(@list __contract_names {});
    let recipients = recipients_contract!(@list __contract_names {});
    let promises = [
        &sessions[..],
        &quotas,
        &idempotency,
        &outbox,
        &keys,
        &recipients,
    ]
    .concat();
    assert_complete(&promises, &controls());
}
