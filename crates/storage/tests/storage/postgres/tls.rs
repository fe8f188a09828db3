//! The way to a server over a network: to it alone, and unseen.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use otpost_cluster::{Binaries, Cluster};
use otpost_storage::{ConnectError, Settings, Storage};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use tempfile::TempDir;

use crate::support::Place;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A file of the server, which no one else may read.
fn write(cluster: &Cluster, name: &str, text: &str) {
    let written = cluster
        .command("sh")
        .args([
            "-c",
            r#"umask 077; printf %s "$2" > "data/$1""#,
            "sh",
            name,
            text,
        ])
        .status()
        .unwrap();
    assert!(written.success());
}

/// A server on 127.0.0.1 that takes encrypted connections only, under a certificate for that address.
fn start(binaries: &Binaries, authority: &Authority) -> Cluster {
    let cluster = Cluster::builder(binaries).tcp().start().unwrap();
    let key = KeyPair::generate().unwrap();
    let mut server = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    server.use_authority_key_identifier_extension = true;
    let certificate = server.signed_by(&key, authority).unwrap();
    write(&cluster, "server.crt", &certificate.pem());
    write(&cluster, "server.key", &key.serialize_pem());
    let entry = "local all all trust\nhostssl all all 127.0.0.1/32 trust\n";
    write(&cluster, "pg_hba.conf", entry);
    for change in ["ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"] {
        cluster.sql("postgres", change).unwrap();
    }
    let start = Instant::now();
    while cluster.sql("postgres", "SHOW ssl").unwrap() != "on" {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{}",
            cluster.log()
        );
    }
    cluster
}

async fn connect(url: &str) -> Result<Storage, ConnectError> {
    let vault = Place::at(url.to_owned()).vault;
    Storage::connect(&Settings::at(url), vault).await
}

fn file(folder: &TempDir, name: &str, pem: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, pem).unwrap();
    Path::display(&path).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_taken_that_proves_to_be_the_one_of_the_url() {
    let Some(binaries) = Binaries::for_test() else {
        return;
    };
    let (ours, foreign, folder) = (
        authority("ours"),
        authority("other"),
        TempDir::new().unwrap(),
    );
    let our_file = file(&folder, "ours.pem", &ours.pem());
    let other_file = file(&folder, "other.pem", &foreign.pem());
    let cluster = tokio::task::spawn_blocking(move || start(&binaries, &ours));
    let cluster = cluster.await.unwrap();
    let port = cluster.port().unwrap();
    let url = |host: &str, mode: &str, file: &str| {
        format!("postgres://otpost@{host}:{port}/postgres?sslmode={mode}&sslrootcert={file}")
    };

    let storage = connect(&url("127.0.0.1", "verify-full", &our_file)).await;
    let storage = storage.unwrap();
    storage.migrate().await.unwrap();
    let encrypted = cluster.sql(
        "postgres",
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
         WHERE application_name = 'otpost'",
    );
    assert_eq!(encrypted.unwrap(), "t");
    storage.close().await;

    let other_authority = connect(&url("127.0.0.1", "verify-full", &other_file)).await;
    let reason = other_authority.unwrap_err().to_string();
    assert!(reason.contains("UnknownIssuer"), "{reason}");
    let system_authorities =
        format!("postgres://otpost@127.0.0.1:{port}/postgres?sslmode=verify-full");
    let reason = connect(&system_authorities).await.unwrap_err().to_string();
    assert!(reason.contains("UnknownIssuer"), "{reason}");

    // The same server by a name that is not in its certificate.
    connect(&url("localhost", "verify-ca", &our_file))
        .await
        .unwrap();
    let other_name = connect(&url("localhost", "verify-full", &our_file)).await;
    let reason = other_name.unwrap_err().to_string();
    assert!(reason.contains("not valid for name"), "{reason}");

    let clear = format!("postgres://otpost@127.0.0.1:{port}/postgres?sslmode=disable");
    let reason = connect(&clear).await.unwrap_err().to_string();
    assert!(reason.contains("no encryption"), "{reason}");
}
