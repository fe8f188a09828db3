//! What a server adds: several nodes, partitions, connections that break, and what stands between.

mod broken;
mod erasing;
mod faults;
mod locked;
mod nodes;
mod partitions;
mod pooled;
mod storm;
mod tls;

use otpost_cluster::{Binaries, Cluster};
use otpost_domain::{ResendPolicy, TermsRecord, Timestamp};
use otpost_ports::{Claim, Lease, LeaseToken, Opening};
use otpost_testkit::sample::{self, NOON};

use crate::support::Place;

/// A server of its own for a test that stops it or reads its log; `None`, which is said, where the
/// machine has none.
async fn cluster() -> Option<Cluster> {
    cluster_with(&[]).await
}

async fn cluster_with(settings: &'static [(&'static str, &'static str)]) -> Option<Cluster> {
    let start = move || {
        let mut builder = Cluster::builder(&Binaries::for_test()?);
        for (name, value) in settings {
            builder = builder.setting(name, value);
        }
        Some(builder.start().unwrap())
    };
    tokio::task::spawn_blocking(start).await.unwrap()
}

/// The database of that server.
fn place(cluster: &Cluster) -> Place {
    Place::at(cluster.url("postgres"))
}

/// Session `number` of as many as wanted, opened as many milliseconds after [`NOON`], whose codes
/// are renewed.
fn opening(place: &Place, number: u16) -> Opening {
    let at = Timestamp::from_millis(NOON.as_millis() + i64::from(number));
    let terms = TermsRecord {
        resend: ResendPolicy::Renew,
        cooldown_secs: 1,
        resends_max: 10,
        lifetime_secs: 600,
        ..sample::terms()
    };
    let opening = sample::opening_at(&*place.vault, u8::MAX, terms, at);
    let mut message = opening.delivery.message;
    message.0[..2].copy_from_slice(&number.to_be_bytes());
    Opening {
        delivery: otpost_ports::Delivery {
            message,
            ..opening.delivery
        },
        ..opening
    }
}

/// What is due an hour after [`NOON`], leased for a minute.
fn claim(token: u8, limit: u32) -> Claim {
    let now = NOON.plus_secs(3_600);
    Claim {
        lease: Lease {
            token: LeaseToken([token; 16]),
            until: now.plus_secs(60),
        },
        now,
        limit,
    }
}
