//! A door between console and ClickHouse that counts who goes through, and can be shut: everything that passes is the real
//! engine's.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gridwarden_runtime::http as shell;
use gridwarden_runtime::shutdown::Shutdown;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The longest question passed on.
const LONGEST: usize = 1 << 20;

#[derive(Clone)]
struct Way {
    engine: String,
    client: reqwest::Client,
    questions: Arc<Mutex<Vec<String>>>,
}

/// The door.
pub(crate) struct Door {
    way: Way,
    listen: SocketAddr,
    open: Option<(Shutdown, tokio::task::JoinHandle<std::io::Result<()>>)>,
}

impl Door {
    /// Opens a door to the engine at `engine`.
    pub(crate) async fn open(engine: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("client");
        let way = Way { engine: engine.to_owned(), client, questions: Arc::default() };
        let listener = shell::bind("127.0.0.1:0".parse().expect("address")).await.expect("port");
        let listen = listener.local_addr().expect("address");
        let mut door = Self { way, listen, open: None };
        door.serve(listener);
        door
    }

    /// Where it stands.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// The questions that went through since the last call.
    pub(crate) fn questions(&self) -> Vec<String> {
        std::mem::take(&mut *self.way.questions.lock().expect("questions"))
    }

    /// Shuts it: who comes is refused.
    pub(crate) async fn shut(&mut self) {
        let (shutdown, task) = self.open.take().expect("open");
        shutdown.trigger("the door is shut");
        task.await.expect("task").expect("server");
    }

    /// Opens it again where it stood.
    pub(crate) async fn open_again(&mut self) {
        let listener = shell::bind(self.listen).await.expect("the same port");
        self.serve(listener);
    }

    fn serve(&mut self, listener: tokio::net::TcpListener) {
        let shutdown = Shutdown::new();
        let routes = Router::new().fallback(pass).with_state(self.way.clone());
        let task = tokio::spawn(shell::serve(listener, routes, shutdown.clone()));
        self.open = Some((shutdown, task));
    }
}

async fn pass(State(way): State<Way>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, LONGEST).await.unwrap_or_default();
    way.questions.lock().expect("questions").push(String::from_utf8_lossy(&body).into_owned());
    match forward(&way, parts, body).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

async fn forward(way: &Way, parts: axum::http::request::Parts, body: Bytes) -> reqwest::Result<Response> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = parts.headers;
    headers.remove("host");
    let asked = way.client.request(parts.method, format!("{}{path}", way.engine)).headers(headers).body(body);
    let answer = asked.timeout(Duration::from_secs(30)).send().await?;
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    for name in ["transfer-encoding", "content-length", "connection"] {
        headers.remove(name);
    }
    let mut response = Response::new(Body::from(answer.bytes().await?));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
