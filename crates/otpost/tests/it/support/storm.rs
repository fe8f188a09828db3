//! Many requests on many connections at once.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use tokio::sync::Barrier;

use super::{Answer, Api, Client, PATIENCE};

const CONNECTIONS: usize = 100;

/// An endpoint and a body; with no body (`null`) it is asked by GET.
pub(crate) type Asked = (String, Value);

/// Asks everything at once, on 100 connections that are open before the first request; where
/// there is more to ask, each goes on with its next. Answers are in the order of what was asked.
/// What a busy machine refuses with 503 is asked again.
pub(crate) async fn storm(api: &Api, asked: Vec<Asked>) -> Vec<Answer> {
    storm_on(std::slice::from_ref(api), asked).await
}

/// As [`storm`], with the connections shared out over these nodes.
pub(crate) async fn storm_on(apis: &[Api], asked: Vec<Asked>) -> Vec<Answer> {
    let asked = Arc::new(asked);
    let connections = CONNECTIONS.min(asked.len());
    let start = Arc::new(Barrier::new(connections));
    let mut tasks = Vec::new();
    for first in 0..connections {
        let api = apis[first % apis.len()].clone();
        let mut client = api.client().await;
        let (asked, start) = (Arc::clone(&asked), Arc::clone(&start));
        tasks.push(tokio::spawn(async move {
            start.wait().await;
            let mut answers = Vec::new();
            for place in (first..asked.len()).step_by(connections) {
                let mut answer = ask(&api, &mut client, &asked[place]).await;
                let began = Instant::now();
                while answer.status == 503 && began.elapsed() < PATIENCE {
                    answer = ask(&api, &mut client, &asked[place]).await;
                }
                answers.push((place, answer));
            }
            answers
        }));
    }
    let mut answers = Vec::new();
    for task in tasks {
        answers.extend(task.await.unwrap());
    }
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

async fn ask(api: &Api, client: &mut Client, (endpoint, body): &Asked) -> Answer {
    if body.is_null() {
        let path = format!("/api/v1/otp/{endpoint}");
        return client.request("GET", &path, &api.headers(), "").await;
    }
    api.post_on(client, endpoint, body).await
}
