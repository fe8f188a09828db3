//! An erasure while its recipient asks for more mails.

use otpost_ports::{AuditAction, RecipientStore, Scope};
use otpost_testkit::sample;

use super::opening;
use crate::support::{Place, open, value};

/// A session that is opened meanwhile stays, or goes: with its mail.
#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_leaves_no_half_of_a_session_that_is_opened_meanwhile() {
    let Some(place) = Place::server().await else {
        return;
    };
    let (one, two) = (place.storage().await, place.connect().await);
    let recipient = sample::recipient(&*place.vault);
    let openings: Vec<_> = (0..600).map(|number| opening(&place, number)).collect();
    let opens = tokio::spawn(async move {
        for opening in openings {
            open(&one, opening).await;
        }
    });

    let mut erased = 0;
    while !opens.is_finished() {
        let scope = Scope::Installation;
        let entry = sample::recipient_entry(AuditAction::RecipientErased, &scope, None);
        erased += two.erase(&recipient, &scope, entry).await.unwrap().sessions;
    }
    opens.await.unwrap();

    let other = place.other().await;
    let halves = "SELECT COUNT(*) FROM sessions FULL JOIN deliveries ON id = session_id \
                  WHERE id IS NULL OR session_id IS NULL";
    assert_eq!(value::<i64>(&other, halves).await, 0);
    assert!(erased > 0, "nothing was erased while sessions were opened");
    let left = value::<i64>(&other, "SELECT COUNT(*) FROM sessions").await;
    assert_eq!(erased + u64::try_from(left).unwrap(), 600);
}
