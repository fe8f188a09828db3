//! The API as a client application sees it.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{Answer, Client, eventually};

/// A server and a key.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    /// Further header lines of every request, each with its line end.
    more: String,
}

impl Api {
    pub(crate) fn new(address: SocketAddr, key: &str) -> Self {
        Self {
            address,
            key: key.to_owned(),
            more: String::new(),
        }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address).await
    }

    /// The header lines of a request with this key and a JSON body.
    pub(crate) fn headers(&self) -> String {
        format!(
            "Authorization: Bearer {}\r\nContent-Type: application/json\r\n{}",
            self.key, self.more
        )
    }

    /// The same, whose every request is to be carried out once under this idempotency key.
    pub(crate) fn once(&self, key: &str) -> Self {
        Self {
            more: format!("Idempotency-Key: {key}\r\n"),
            ..self.clone()
        }
    }

    /// The same server for another key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self {
            key: key.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) async fn post(&self, endpoint: &str, body: &Value) -> Answer {
        self.post_on(&mut self.client().await, endpoint, body).await
    }

    pub(crate) async fn post_on(
        &self,
        client: &mut Client,
        endpoint: &str,
        body: &Value,
    ) -> Answer {
        let path = format!("/api/v1/otp/{endpoint}");
        client
            .request("POST", &path, &self.headers(), &body.to_string())
            .await
    }

    /// Opens a session that must be opened, and gives its identifier.
    pub(crate) async fn send(&self, email: &str) -> String {
        let answer = self.post("send", &json!({ "email": email })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.text("/data/session_id")
    }

    /// How many mails were captured.
    pub(crate) async fn mails(&self) -> usize {
        let inbox = self.client().await.get("/dev/inbox/messages").await;
        inbox.json()["messages"].as_array().unwrap().len()
    }

    /// Opens a session that must be opened, and submits a wrong code to it.
    pub(crate) async fn miss(&self, email: &str) -> String {
        let session = self.send(email).await;
        let guess = wrong(&self.code(&session).await);
        let refused = self.verify(&session, &guess).await;
        assert_eq!(refused.status, 400, "{refused:?}");
        session
    }

    /// The status of a send; `None` when the server is gone or goes.
    pub(crate) async fn try_send(&self, email: &str) -> Option<u16> {
        let mut client = Client::try_connect(self.address).await?;
        let body = json!({ "email": email }).to_string();
        client
            .try_request("POST", "/api/v1/otp/send", &self.headers(), &body)
            .await
    }

    pub(crate) async fn verify(&self, session_id: &str, code: &str) -> Answer {
        let body = json!({ "session_id": session_id, "code": code });
        self.post("verify", &body).await
    }

    pub(crate) async fn resend(&self, session_id: &str) -> Answer {
        self.post("resend", &json!({ "session_id": session_id }))
            .await
    }

    pub(crate) async fn status(&self, session_id: &str) -> Answer {
        let path = format!("/api/v1/otp/status/{session_id}");
        self.client()
            .await
            .request("GET", &path, &self.headers(), "")
            .await
    }

    /// The attempts so far.
    pub(crate) async fn attempts(&self, session_id: &str) -> u64 {
        let status = self.status(session_id).await;
        status.json()["data"]["attempts"]
            .as_u64()
            .unwrap_or_else(|| panic!("{status:?}"))
    }

    /// Waits until the last mail of a session is written down as sent.
    pub(crate) async fn wait_until_sent(&self, session_id: &str) {
        eventually("the mail to be sent", async || {
            let status = self.status(session_id).await;
            (status.header("otpost-delivery") == Some("sent")).then_some(())
        })
        .await;
    }

    /// What became of the last mail of a session.
    pub(crate) async fn delivery(&self, session_id: &str) -> String {
        let status = self.status(session_id).await;
        let delivery = status.header("otpost-delivery");
        delivery.unwrap_or_else(|| panic!("{status:?}")).to_owned()
    }

    /// Waits until the last mail of a session failed for good.
    pub(crate) async fn wait_until_failed(&self, session_id: &str) {
        eventually("the mail to fail", async || {
            (self.delivery(session_id).await == "failed").then_some(())
        })
        .await;
    }

    /// The captured message of a session, waited for.
    pub(crate) async fn captured(&self, session_id: &str) -> Value {
        let path = format!("/dev/inbox/messages?session_id={session_id}&wait=20");
        let answer = self.client().await.get(&path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let message = answer.json()["messages"][0].clone();
        assert!(message.is_object(), "no message: {answer:?}");
        message
    }

    /// The code of a session, from the inbox.
    pub(crate) async fn code(&self, session_id: &str) -> String {
        self.captured(session_id).await["code"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

/// A code of the same length that is not `code`.
pub(crate) fn wrong(code: &str) -> String {
    let first = if code.starts_with('0') { "1" } else { "0" };
    format!("{first}{}", &code[1..])
}
