//! The HTTP door as a person's curl or another program uses it.

use crate::engine::shared;
use reqwest::{Client, Method, RequestBuilder, Response};

pub(crate) struct Door {
    pub(crate) url: String,
    pub(crate) client: Client,
}

/// The door of the engine all tests share.
pub(crate) fn door() -> Option<Door> {
    Some(Door::of(shared()?))
}

impl Door {
    pub(crate) fn of(url: &str) -> Self {
        Self { url: url.to_owned(), client: Client::builder().no_proxy().build().unwrap() }
    }

    pub(crate) fn request(&self, method: Method, query: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/?{query}", self.url))
    }

    pub(crate) async fn send(&self, method: Method, query: &str, body: impl Into<Vec<u8>>) -> Response {
        self.request(method, query).body(body.into()).send().await.unwrap()
    }

    pub(crate) async fn ask(&self, method: Method, query: &str, body: impl Into<Vec<u8>>) -> (u16, String) {
        answer(self.send(method, query, body).await).await
    }

    /// `curl URL --data-binary SQL`.
    pub(crate) async fn post(&self, sql: &str) -> (u16, String) {
        self.ask(Method::POST, "", sql).await
    }
}

pub(crate) async fn answer(response: Response) -> (u16, String) {
    (response.status().as_u16(), response.text().await.unwrap())
}

pub(crate) fn ok(text: &str) -> (u16, String) {
    (200, text.to_owned())
}
