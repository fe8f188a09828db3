//! A database for a test, on the server that `TEST_POSTGRES_URL` names.
#![cfg(feature = "databases")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use otpost_cluster::Database;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement, TryGetable};

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await.unwrap()
}

async fn ask<T: TryGetable>(on: &DatabaseConnection, sql: String) -> Result<T, DbErr> {
    let query = Statement::from_string(on.get_database_backend(), sql);
    on.query_one_raw(query).await?.unwrap().try_get_by_index(0)
}

async fn is_there(other: &DatabaseConnection, name: &str) -> bool {
    let sql = format!("SELECT EXISTS (SELECT FROM pg_database WHERE datname = '{name}')");
    ask(other, sql).await.unwrap()
}

#[tokio::test]
async fn two_databases_know_nothing_of_each_other_and_go_even_while_in_use() {
    let Some(first) = Database::create().await else {
        return;
    };
    let second = Database::create().await.unwrap();
    let (one, two) = (connect(first.url()).await, connect(second.url()).await);

    one.execute_unprepared("CREATE TABLE mine ()")
        .await
        .unwrap();

    let count = "SELECT count(*) FROM pg_class WHERE relname = 'mine'";
    assert_eq!(ask::<i64>(&one, count.to_owned()).await.unwrap(), 1);
    assert_eq!(ask::<i64>(&two, count.to_owned()).await.unwrap(), 0);
    let name = first.name().to_owned();
    assert!(is_there(&two, &name).await);
    drop(first);
    assert!(!is_there(&two, &name).await);
}

#[tokio::test]
async fn a_copy_has_what_its_template_has() {
    let Some(template) = Database::create().await else {
        return;
    };
    let connection = connect(template.url()).await;
    connection
        .execute_unprepared("CREATE TABLE seen AS SELECT 7 AS n")
        .await
        .unwrap();
    connection.close().await.unwrap();

    let copy = Database::from_template(template.name()).await.unwrap();

    let connection = connect(copy.url()).await;
    assert_eq!(
        ask::<i32>(&connection, "SELECT n FROM seen".to_owned())
            .await
            .unwrap(),
        7
    );
}

#[test]
fn a_database_may_go_outside_of_any_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(database) = runtime.block_on(Database::create()) else {
        return;
    };
    let name = database.name().to_owned();
    drop(runtime);

    drop(database);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let Some(other) = Database::create().await else {
            return;
        };
        assert!(!is_there(&connect(other.url()).await, &name).await);
    });
}
