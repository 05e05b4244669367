//! Reading request bodies: whole, as a form, or up to where a query's text ends and its data begin.

use super::{
    encoding::Decoder,
    error::{Exception, code},
    request::Asked,
    sql::{self, Statement},
};
use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;

/// Longest query with its parameters. Data of an insert may be any length.
const LONGEST: usize = 64 << 20;

/// An insert's text is looked for in this much; a real server does not read longer ones either.
const LONGEST_HEAD: usize = 256 << 10;

/// Packed bytes that are unpacked before the text is looked at again.
const LOOK_EVERY: usize = 4096;

/// The next piece of a body; `None` at its end. An error means that the client went away.
pub(super) async fn piece(body: &mut Body) -> Result<Option<Bytes>, Exception> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Exception::ours(code::QUERY_WAS_CANCELLED, "the client went away"))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// A query whose text stands, or goes on, in the body.
pub(super) struct Query {
    pub(super) statement: Statement,
    pub(super) text: Vec<u8>,
    /// Data that came in the same piece as the end of an insert's text.
    pub(super) ahead: Bytes,
    /// What unpacks the rest of the body; the body has ended when it is not packed any more.
    pub(super) decoder: Decoder,
}

/// Reads a query: to the body's end, or, of an insert with data, no further than its first data.
pub(super) async fn query(mut text: Vec<u8>, body: &mut Body, mut decoder: Decoder) -> Result<Query, Exception> {
    let before = text.len();
    if before > 0 {
        text.push(b'\n');
    }
    while let Some(mut data) = piece(body).await? {
        while !data.is_empty() {
            let portion = data.split_to(LOOK_EVERY.min(data.len()));
            decoder.push(&portion, &mut |unpacked| take(&mut text, unpacked))?;
            let may_be_head = text.len() <= LONGEST_HEAD || text.len() - portion.len() <= LONGEST_HEAD;
            if may_be_head && let Some(statement) = data_has_begun(&text) {
                return Ok(Query { statement, text, ahead: data, decoder });
            }
        }
    }
    decoder.finish(&mut |unpacked| take(&mut text, unpacked))?;
    if text.len() == before + 1 && before > 0 {
        text.truncate(before);
    }
    let statement = sql::statement(&text)?;
    Ok(Query { statement, text, ahead: Bytes::new(), decoder: Decoder::Plain })
}

fn take(text: &mut Vec<u8>, unpacked: &[u8]) -> Result<(), Exception> {
    text.extend_from_slice(unpacked);
    match text.len() > LONGEST {
        true => Err(Exception::ours(code::BAD_ARGUMENTS, "a query is not longer than 64 MiB")),
        false => Ok(()),
    }
}

/// The statement, when the text so far is an insert's and some of its data: more text cannot change what it is then.
fn data_has_begun(text: &[u8]) -> Option<Statement> {
    let statement = sql::statement(text).ok()?;
    matches!(&statement, Statement::Insert { data, .. } if *data < text.len()).then_some(statement)
}

/// Reads a form (`multipart/form-data`), as clients send query parameters.
pub(super) async fn form(body: Body, boundary: String, asked: &mut Asked) -> Result<(), Exception> {
    let bad = |error: multer::Error| Exception::ours(code::BAD_ARGUMENTS, format!("the form cannot be read: {error}"));
    let limit = multer::SizeLimit::new().whole_stream(LONGEST as u64);
    let constraints = multer::Constraints::new().size_limit(limit);
    let mut form = multer::Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
    while let Some(field) = form.next_field().await.map_err(bad)? {
        let name = field.name().unwrap_or_default().to_owned();
        if field.file_name().is_some() {
            return Err(Exception::ours(code::BAD_ARGUMENTS, "external tables in forms are not read here"));
        }
        let value = field.text().await.map_err(bad)?;
        asked.take(&name, &value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(pieces: &[&'static str]) -> Query {
        let pieces: Vec<Result<&'static str, std::io::Error>> = pieces.iter().map(|piece| Ok(*piece)).collect();
        let mut body = Body::from_stream(futures::stream::iter(pieces));
        query(Vec::new(), &mut body, Decoder::Plain).await.unwrap()
    }

    /// However the network cuts it.
    #[tokio::test]
    async fn an_insert_is_known_once_its_data_begin() {
        for pieces in [
            ["INSERT INTO t FORMAT CSV", "WithNames\n", "a,b\n"],
            ["INSERT INTO t FORMAT CSVWithNames\n", "a,", "b\n"],
            ["INS", "ERT INTO t FORMAT CSVWithNames\na", ",b\n"],
            ["INSERT INTO t FORMAT CSVWithNames ", "\n", "a,b\n"],
        ] {
            let query = read(&pieces).await;
            let Statement::Insert { head, format, data } = query.statement else { panic!("{pieces:?}") };
            assert_eq!((head, format.as_str()), ("INSERT INTO t".len(), "CSVWithNames"), "{pieces:?}");
            let got = String::from_utf8_lossy(query.text.get(data..).unwrap()).into_owned();
            assert!(!got.is_empty() && "a,b\n".starts_with(&got), "{pieces:?} {got:?}");
        }
    }

    #[tokio::test]
    async fn a_query_is_read_to_its_end() {
        let query = read(&["SELECT 1 FOR", "MAT JSON"]).await;
        assert_eq!(query.statement, Statement::Select { format: Some("JSON".to_owned()) });
        assert_eq!(query.text, b"SELECT 1 FORMAT JSON");
    }
}
