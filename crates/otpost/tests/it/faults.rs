//! A file that is locked: 503, and no guess that is not counted.

use std::time::{Duration, Instant};

use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection};

use crate::support::{Place, wrong};

/// Another process that holds the write lock of the database.
async fn lock(place: &Place) -> DatabaseConnection {
    let url = format!("sqlite://{}", place.join("data/otpost.db").display());
    let mut options = ConnectOptions::new(url);
    options.max_connections(1);
    let connection = Database::connect(options).await.unwrap();
    connection
        .execute_unprepared("BEGIN IMMEDIATE")
        .await
        .unwrap();
    connection
}

#[tokio::test]
async fn a_locked_database_is_503_within_2_s_and_heals_without_an_uncounted_guess() {
    let place = Place::new();
    let (otpost, api) = place.dev();
    let session = api.send("ada@example.com").await;
    let code = api.code(&session).await;
    api.wait_until_sent(&session).await;
    let other = lock(&place).await;

    for refused_code in [&wrong(&code), &code] {
        let start = Instant::now();
        let refused = api.verify(&session, refused_code).await;
        assert_eq!(refused.status, 503, "{refused:?}");
        assert_eq!(refused.text("/error/code"), "SERVICE_UNAVAILABLE");
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{:?}",
            start.elapsed()
        );
    }
    let body = serde_json::json!({ "email": "eve@example.com" });
    assert_eq!(api.post("send", &body).await.status, 503);
    assert_eq!(api.resend(&session).await.status, 503);
    other.execute_unprepared("ROLLBACK").await.unwrap();

    assert_eq!(api.attempts(&session).await, 0);
    assert_eq!(api.verify(&session, &wrong(&code)).await.status, 400);
    assert_eq!(api.attempts(&session).await, 1);
    assert_eq!(api.verify(&session, &code).await.status, 200);
    let inbox = api
        .client()
        .await
        .get("/dev/inbox/messages?to=eve@example.com")
        .await;
    assert_eq!(inbox.json()["messages"].as_array().unwrap().len(), 0);
    drop(otpost);
}
