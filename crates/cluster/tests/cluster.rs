//! A real server: started, stopped in every way, started again, copied and promoted.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io;
use std::net::{Ipv4Addr, TcpStream};

use otpost_cluster::{Binaries, Cluster, Stop};

/// `None` where the machine has no server, which is said.
fn start() -> Option<Cluster> {
    let binaries = Binaries::for_test()?;
    Some(Cluster::start(&binaries).unwrap())
}

#[test]
fn a_new_server_answers_by_its_socket_and_takes_its_folder_with_it() {
    let Some(cluster) = start() else { return };

    let said = cluster
        .sql(
            "postgres",
            "SHOW fsync; SHOW server_encoding; SHOW listen_addresses; SELECT current_user, 1",
        )
        .unwrap();

    assert_eq!(said, "off\nUTF8\n\notpost|1");
    assert_eq!(cluster.port(), None);
    assert!(cluster.log().contains("ready to accept connections"));
    let folder = cluster.socket_folder().to_owned();
    assert!(folder.join("data/PG_VERSION").exists());
    drop(cluster);
    assert!(!folder.exists());
}

#[test]
fn libpq_understands_the_url() {
    let Some(cluster) = start() else { return };
    let binaries = Binaries::find().unwrap();
    cluster
        .sql("postgres", r#"CREATE DATABASE "a b/c""#)
        .unwrap();

    let output = cluster
        .command(binaries.program("psql"))
        .args(["-AtXc", "SELECT current_database()"])
        .arg(cluster.url("a b/c"))
        .output()
        .unwrap();

    assert_eq!(String::from_utf8_lossy(&output.stdout), "a b/c\n");
}

#[test]
fn settings_are_followed_and_a_port_is_opened_when_asked() {
    let Some(binaries) = Binaries::for_test() else {
        return;
    };

    let cluster = Cluster::builder(&binaries)
        .setting("fsync", "on")
        .setting("cluster_name", "it's")
        .tcp()
        .start()
        .unwrap();

    assert_eq!(cluster.sql("postgres", "SHOW fsync").unwrap(), "on");
    let name = cluster.sql("postgres", "SHOW cluster_name").unwrap();
    assert_eq!(name, "it's");
    TcpStream::connect((Ipv4Addr::LOCALHOST, cluster.port().unwrap())).unwrap();
}

#[test]
fn a_setting_that_is_none_is_an_error_with_the_log() {
    let Some(binaries) = Binaries::for_test() else {
        return;
    };

    let builder = Cluster::builder(&binaries).setting("fsync", "perhaps");

    let text = builder.start().unwrap_err().to_string();
    assert!(
        text.contains("it ended") && text.contains("requires a Boolean value"),
        "{text}"
    );
}

#[test]
fn what_was_committed_is_there_after_every_way_to_stop() {
    let Some(mut cluster) = start() else { return };
    cluster
        .sql("postgres", "CREATE TABLE seen (n int)")
        .unwrap();

    for (n, how) in [Stop::Fast, Stop::Immediate, Stop::Kill]
        .into_iter()
        .enumerate()
    {
        cluster
            .sql("postgres", &format!("INSERT INTO seen VALUES ({n})"))
            .unwrap();
        cluster.stop(how).unwrap();
        assert!(cluster.sql("postgres", "SELECT 1").is_err(), "{how:?}");
        cluster.stop(how).unwrap();
        cluster.resume().unwrap();
        cluster.resume().unwrap();
        let count = cluster
            .sql("postgres", "SELECT count(*) FROM seen")
            .unwrap();
        assert_eq!(count, (n + 1).to_string(), "{how:?}");
    }

    let log = cluster.log();
    assert_eq!(
        log.matches("was not properly shut down").count(),
        2,
        "{log}"
    );
}

#[test]
fn a_port_is_the_same_after_a_restart() {
    let Some(binaries) = Binaries::for_test() else {
        return;
    };
    let mut cluster = Cluster::builder(&binaries).tcp().start().unwrap();
    let (port, url) = (cluster.port().unwrap(), cluster.url("postgres"));

    cluster.stop(Stop::Kill).unwrap();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    cluster.resume().unwrap();

    assert_eq!(cluster.url("postgres"), url);
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
}

#[test]
fn a_standby_follows_and_takes_over_when_the_primary_is_killed() {
    let Some(mut primary) = start() else { return };
    primary
        .sql("postgres", "CREATE TABLE seen (n int)")
        .unwrap();
    let standby = primary.standby("second").unwrap();
    // A commit now waits for the standby to show it.
    primary
        .sql(
            "postgres",
            "ALTER SYSTEM SET synchronous_standby_names = 'second'",
        )
        .unwrap();
    primary
        .sql(
            "postgres",
            "ALTER SYSTEM SET synchronous_commit = 'remote_apply'",
        )
        .unwrap();
    primary.sql("postgres", "SELECT pg_reload_conf()").unwrap();

    primary
        .sql("postgres", "INSERT INTO seen VALUES (7)")
        .unwrap();
    primary.stop(Stop::Kill).unwrap();

    assert_eq!(standby.sql("postgres", "SELECT n FROM seen").unwrap(), "7");
    let refused = standby
        .sql("postgres", "INSERT INTO seen VALUES (8)")
        .unwrap_err();
    assert!(refused.to_string().contains("read-only"), "{refused}");
    standby.promote().unwrap();
    standby
        .sql("postgres", "INSERT INTO seen VALUES (8)")
        .unwrap();
}

#[test]
fn a_statement_that_fails_says_why_and_is_the_last() {
    let Some(cluster) = start() else { return };

    let error: io::Error = cluster
        .sql("postgres", "SELECT 1/0; CREATE TABLE later ()")
        .unwrap_err();

    assert!(error.to_string().contains("division by zero"), "{error}");
    let later = cluster.sql("postgres", "SELECT to_regclass('later') IS NULL");
    assert_eq!(later.unwrap(), "t");
}
