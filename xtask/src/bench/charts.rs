//! The pictures of the page, made of the figures of a run.

use super::chart::{Bar, Chart, Group, Kind};
use super::database::Engine;
use super::lab::Lab;
use super::measure::{grouped, real};
use super::peers::{BETTER_AUTH, OTPGATEWAY, PEERS_OF};

/// Every picture, by the name of its file.
pub(super) fn all(lab: &Lab) -> Vec<(&'static str, String)> {
    vec![
        ("rates.svg", rates(lab).svg()),
        ("latency.svg", latency(lab).svg()),
        ("growth.svg", growth(lab).svg()),
        ("memory.svg", memory(lab).svg()),
    ]
}

fn rates(lab: &Lab) -> Chart {
    let bar = |label: &str, name: &str, kind| Bar {
        label: label.to_owned(),
        figure: lab.known(name),
        kind,
        goal: None,
    };
    let ours = |what: &str, engine: Engine, times: f64, against: &str| Bar {
        label: format!("otpost, {}", engine.name()),
        figure: lab.known(&format!("{what} {}", engine.name())),
        kind: Kind::Ours,
        goal: lab.known(against).map(|figure| figure * times),
    };
    let peer = |label: &str, figure: f64| Bar {
        label: format!("{label}*"),
        figure: Some(figure),
        kind: Kind::Peer,
        goal: None,
    };
    Chart {
        title: "Answers a second, each on the disk before it leaves",
        subtitle: format!(
            "256 connections. Red: the goal, to reach. Grey: of the same run, to compare. * measured on {PEERS_OF}"
        ),
        unit: "",
        groups: vec![
            Group {
                title: "Verify a code".into(),
                bars: vec![
                    ours("verify", Engine::Sqlite, 0.5, "ceiling"),
                    ours("verify", Engine::Postgres, 2.0, "pgbench update"),
                    bar("pgbench, one update", "pgbench update", Kind::Machine),
                    bar("HTTP and JSON, nothing stored", "ceiling", Kind::Machine),
                    peer("otpgateway, Redis synced", OTPGATEWAY.verify),
                    peer("better-auth, SQLite", BETTER_AUTH.verify),
                ],
            },
            Group {
                title: "Send a code".into(),
                bars: vec![
                    ours("send", Engine::Sqlite, 0.25, "ceiling"),
                    ours("send", Engine::Postgres, 1.0, "pgbench insert"),
                    bar("pgbench, one insert", "pgbench insert", Kind::Machine),
                    peer("otpgateway, Redis synced", OTPGATEWAY.send),
                    peer("better-auth, PostgreSQL", BETTER_AUTH.send),
                ],
            },
        ],
    }
}

fn latency(lab: &Lab) -> Chart {
    let groups = Engine::ALL.map(|engine| {
        let bar = |label: &str, name: &str, goal| Bar {
            label: label.to_owned(),
            figure: lab.known(&format!("{name} {}", engine.name())),
            kind: Kind::Ours,
            goal,
        };
        Group {
            title: engine.name().to_owned(),
            bars: vec![
                bar("one at a time", "alone", None),
                bar("half of all are quicker than", "p50", Some(3.0)),
                bar("99 of 100 are quicker than", "p99", Some(15.0)),
            ],
        }
    });
    Chart {
        title: "How long a verify takes, at half of the most there can be",
        subtitle: "Milliseconds from the instant at which a request is due. Red: the goal, to stay left of".into(),
        unit: "ms",
        groups: groups.into(),
    }
}

fn growth(lab: &Lab) -> Chart {
    let groups = Engine::ALL.map(|engine| {
        let few = lab.known(&format!("few {}", engine.name()));
        let bar = |label: String, figure, kind, goal| Bar {
            label,
            figure,
            kind,
            goal,
        };
        let many = format!("{} sessions stored", grouped(real(lab.options.rows())));
        Group {
            title: engine.name().to_owned(),
            bars: vec![
                bar(
                    "10\u{202f}000 sessions stored".into(),
                    few,
                    Kind::Machine,
                    None,
                ),
                bar(
                    many,
                    lab.known(&format!("many {}", engine.name())),
                    Kind::Ours,
                    few.map(|few| few * 0.85),
                ),
            ],
        }
    });
    Chart {
        title: "Verifies a second, beside many stored sessions",
        subtitle: "Red: the goal, to reach".into(),
        unit: "",
        groups: groups.into(),
    }
}

fn memory(lab: &Lab) -> Chart {
    let mut groups: Vec<Group> = Engine::ALL
        .into_iter()
        .map(|engine| {
            let bar = |label: &str, name: &str, goal| Bar {
                label: label.to_owned(),
                figure: lab.known(&format!("{name} {}", engine.name())),
                kind: Kind::Ours,
                goal,
            };
            Group {
                title: format!("otpost, {}", engine.name()),
                bars: vec![
                    bar("idle", "idle", Some(16.0)),
                    bar("at full load", "full", Some(48.0)),
                    bar("2\u{202f}000 connections at once", "crowd", None),
                ],
            }
        })
        .collect();
    let peer = |label: &str, figure| Bar {
        label: label.to_owned(),
        figure: Some(figure),
        kind: Kind::Peer,
        goal: None,
    };
    groups.push(Group {
        title: format!("Others, measured on {PEERS_OF}"),
        bars: vec![
            peer("otpgateway, without its Redis", OTPGATEWAY.memory),
            peer("better-auth", BETTER_AUTH.memory),
        ],
    });
    Chart {
        title: "Resident memory of one process",
        subtitle: "MB. Red: the goal, to stay left of".into(),
        unit: "MB",
        groups,
    }
}
