//! The HTTP front: a request becomes a query or an insert.

use super::{
    EngineOptions,
    answer::{self, Manner},
    body,
    encoding::Decoder,
    error::{Exception, code},
    insert::Insert,
    lease::Lender,
    policy,
    request::{Asked, refuse_strange_pages, text},
    select::{Query, can_stream},
    sql::{self, Statement},
};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Method, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Requests that run in the engine at once; others wait.
const AT_ONCE: usize = 64;

/// The format of an answer nobody asked a format for.
const DEFAULT_FORMAT: &str = "TabSeparated";

/// What requests share.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) lender: Lender,
    pub(super) running: Arc<Semaphore>,
    login: Option<Arc<(String, String)>>,
}

impl Front {
    pub(super) fn new(lender: Lender, options: &EngineOptions) -> Self {
        let login = options.login.clone().map(Arc::new);
        Self { lender, running: Arc::new(Semaphore::new(AT_ONCE)), login }
    }

    pub(super) fn router(self) -> Router {
        let alive = || async { "Ok.\n" };
        Router::new().route("/ping", get(alive)).route("/replicas_status", get(alive)).fallback(handle).with_state(self)
    }

    async fn answer(&self, request: Request) -> Result<Response, Exception> {
        let (head, body) = request.into_parts();
        refuse_strange_pages(&head.headers)?;
        if matches!(head.method, Method::GET | Method::HEAD) && head.uri.query().is_none() {
            return Ok("Ok.\n".into_response());
        }
        if head.method != Method::GET && head.method != Method::POST {
            return Err(Exception::ours(
                code::BAD_ARGUMENTS,
                format!("{} is not served, use GET or POST", head.method),
            ));
        }
        let mut asked = Asked::from_head(&head)?;
        self.check_login(&asked, &head.headers)?;
        let body = match boundary(&head) {
            Some(boundary) => {
                body::form(body, boundary, &mut asked).await?;
                Body::empty()
            }
            None => body,
        };
        self.dispatch(asked.settled(), &head.headers, body).await
    }

    async fn dispatch(&self, mut asked: Asked, headers: &HeaderMap, mut body: Body) -> Result<Response, Exception> {
        let decoder = Decoder::new(&asked, headers)?;
        let text = asked.query.take().unwrap_or_default().into_bytes();
        let statement = sql::statement(&text)?;
        let body::Query { statement, mut text, ahead, decoder } = match statement {
            Statement::Insert { .. } => body::Query { statement, text, ahead: Bytes::new(), decoder },
            _ => body::query(text, &mut body, decoder).await?,
        };
        match statement {
            Statement::Nothing => Err(Exception::ours(code::SYNTAX_ERROR, "Syntax error: Empty query")),
            Statement::Insert { head, format, data } => {
                refuse_writes(&asked, false)?;
                let begin = text.split_off(data.min(text.len()));
                text.truncate(head);
                self.insert(asked, Split { head: text, format, begin, ahead, decoder }, body).await
            }
            Statement::Select { format } => self.query(asked, text, format, Way::Stream).await,
            Statement::Other { format, changes_connection, reads } => {
                refuse_writes(&asked, reads)?;
                self.query(asked, text, format, Way::Run { changes_connection }).await
            }
        }
    }

    async fn query(&self, asked: Asked, sql: Vec<u8>, named: Option<String>, way: Way) -> Result<Response, Exception> {
        policy::check(&sql)?;
        let format = named.or(asked.format).unwrap_or_else(|| DEFAULT_FORMAT.to_owned());
        let manner = Manner::new(asked.query_id, &format, asked.answer_in_frames);
        let query = Query {
            sql: utf8(sql)?,
            params: asked.params,
            settings: asked.settings,
            database: asked.database,
            session: asked.session,
            changes_connection: way == Way::Run { changes_connection: true },
            manner,
            permit: self.permit().await?,
            format,
        };
        if way == Way::Stream && can_stream(&query.format) && !asked.whole {
            query.stream(self.lender.clone()).await
        } else {
            query.run(self.lender.clone()).await
        }
    }

    async fn insert(&self, asked: Asked, split: Split, body: Body) -> Result<Response, Exception> {
        policy::check(&split.head)?;
        if !asked.params.is_empty() {
            return Err(Exception::ours(code::BAD_ARGUMENTS, "parameters are not read in an INSERT with data"));
        }
        let insert = Insert {
            head: utf8(split.head)?,
            format: split.format,
            begin: split.begin,
            ahead: split.ahead,
            settings: asked.settings,
            database: asked.database,
            session: asked.session,
            decoder: split.decoder,
            manner: Manner::new(asked.query_id, DEFAULT_FORMAT, false),
            permit: self.permit().await?,
        };
        insert.run(self.lender.clone(), body).await
    }

    async fn permit(&self) -> Result<tokio::sync::OwnedSemaphorePermit, Exception> {
        let closing = |_| Exception::ours(code::QUERY_WAS_CANCELLED, "the engine is shutting down");
        Arc::clone(&self.running).acquire_owned().await.map_err(closing)
    }

    fn check_login(&self, asked: &Asked, headers: &HeaderMap) -> Result<(), Exception> {
        let Some(login) = &self.login else { return Ok(()) };
        let basic = text(headers, "authorization").and_then(|value| basic_login(&value));
        if basic.is_none() && asked.user.is_none() && asked.password.is_none() {
            return Err(Exception::ours(
                code::REQUIRED_PASSWORD,
                "Authentication failed: user and password are needed",
            ));
        }
        let (user, password) = basic.unwrap_or_else(|| {
            let user = asked.user.clone().unwrap_or_else(|| "default".to_owned());
            (user, asked.password.clone().unwrap_or_default())
        });
        if same(&user, &login.0) & same(&password, &login.1) {
            return Ok(());
        }
        let words = format!("{user}: Authentication failed: password is incorrect, or there is no user with such name");
        Err(Exception::ours(code::AUTHENTICATION_FAILED, words))
    }
}

/// How a query answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Stream,
    Run { changes_connection: bool },
}

/// An insert taken apart.
struct Split {
    head: Vec<u8>,
    format: String,
    begin: Vec<u8>,
    ahead: Bytes,
    decoder: Decoder,
}

/// A GET writes nothing. The engine sees to that as well, but not in a session, whose settings stay.
fn refuse_writes(asked: &Asked, reads: bool) -> Result<(), Exception> {
    if asked.reads_only && !reads {
        return Err(Exception::ours(code::READONLY, "a GET changes nothing; send it as a POST"));
    }
    Ok(())
}

async fn handle(State(front): State<Front>, request: Request) -> Response {
    match front.answer(request).await {
        Ok(answer) => answer,
        Err(exception) => {
            tracing::debug!(code = exception.code, error = exception.text, "request failed");
            answer::bad(&exception)
        }
    }
}

fn boundary(head: &Parts) -> Option<String> {
    multer::parse_boundary(text(&head.headers, "content-type")?).ok()
}

fn utf8(sql: Vec<u8>) -> Result<String, Exception> {
    String::from_utf8(sql).map_err(|_| Exception::ours(code::SYNTAX_ERROR, "Syntax error: the query is not UTF-8"))
}

/// `Basic base64(user:password)`.
fn basic_login(header: &str) -> Option<(String, String)> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let bytes = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Compares without telling by its time how much was right.
fn same(a: &str, b: &str) -> bool {
    let difference = a.bytes().zip(b.bytes()).fold(a.len() ^ b.len(), |sum, (x, y)| sum | usize::from(x ^ y));
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basic_login_is_read() {
        assert_eq!(basic_login("Basic dTpwOnc="), Some(("u".into(), "p:w".into())));
        assert_eq!(basic_login("Bearer x"), None);
        assert!(same("a", "a") && !same("a", "b") && !same("a", "ab") && same("", ""));
    }
}
