//! Small HTTP for tests: ask for JSON, with a token, from a server on this machine.

use serde_json::Value;

/// A client of one server.
#[derive(Clone)]
pub struct Client {
    base: String,
    token: Option<String>,
    client: reqwest::Client,
}

impl Client {
    /// A client of `base` (`http://127.0.0.1:port`), with a bearer token if given.
    pub fn new(base: &str, token: Option<&str>) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(std::time::Duration::from_secs(30))
            .build()
            .expect("an HTTP client");
        Self { base: base.trim_end_matches('/').to_owned(), token: token.map(str::to_owned), client }
    }

    /// GET: status and body.
    pub async fn get(&self, path: &str) -> Result<(u16, String), String> {
        self.send(self.client.get(format!("{}{path}", self.base))).await
    }

    /// GET of JSON; anything but 200 with JSON is an error in words.
    pub async fn json(&self, path: &str) -> Result<Value, String> {
        let (status, body) = self.get(path).await?;
        if status != 200 {
            return Err(format!("GET {path}: {status} {body}"));
        }
        serde_json::from_str(&body).map_err(|error| format!("GET {path}: {error} in {body}"))
    }

    /// POST of a body with a content type and further headers: status and body.
    pub async fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
        headers: &[(&str, &str)],
    ) -> Result<(u16, String), String> {
        let mut request =
            self.client.post(format!("{}{path}", self.base)).header("content-type", content_type).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request).await
    }

    /// A query to ClickHouse's HTTP interface, answered as the `data` of FORMAT JSON.
    pub async fn sql(&self, database: &str, query: &str) -> Result<Vec<Value>, String> {
        let path = format!("/?database={database}&default_format=JSON&output_format_json_quote_64bit_integers=0");
        let (status, body) = self.post(&path, "text/plain", query.to_owned(), &[]).await?;
        if status != 200 {
            return Err(format!("{query}: {status} {body}"));
        }
        let answer: Value = serde_json::from_str(&body).map_err(|error| format!("{query}: {error} in {body}"))?;
        Ok(answer["data"].as_array().cloned().unwrap_or_default())
    }

    /// The single number a query gives.
    pub async fn number(&self, database: &str, query: &str) -> Result<i64, String> {
        let rows = self.sql(database, query).await?;
        let first = rows.first().and_then(|row| row.as_object()).and_then(|row| row.values().next());
        first
            .and_then(|value| value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok())))
            .ok_or_else(|| format!("{query}: no number in {rows:?}"))
    }

    async fn send(&self, mut request: reqwest::RequestBuilder) -> Result<(u16, String), String> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.map_err(|error| format!("{error:?}"))?;
        let status = answer.status().as_u16();
        let body = answer.text().await.map_err(|error| format!("{error:?}"))?;
        Ok((status, body))
    }
}
