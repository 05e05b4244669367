//! A viewer of the live stream: reads server-sent events one by one.

use serde_json::Value;
use std::time::Duration;

/// How long one event may take on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// One open stream.
pub(crate) struct Viewer {
    answer: reqwest::Response,
    unread: String,
}

/// A name and what came with it.
pub(crate) type Event = (String, Value);

impl Viewer {
    /// Opens a stream; `query` begins with `?` or is empty.
    pub(crate) async fn open(base: &str, token: &str, query: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("client");
        let asked = client.get(format!("{base}/api/v1/live{query}")).bearer_auth(token);
        let answer = asked.send().await.expect("the stream");
        assert_eq!(answer.status(), 200, "{query}");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, unread: String::new() }
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            if let Some((text, rest)) = self.unread.split_once("\n\n") {
                let event = parse(text);
                self.unread = rest.to_owned();
                if let Some(event) = event {
                    return event;
                }
                continue;
            }
            let chunk = tokio::time::timeout(SOON, self.answer.chunk()).await.expect("an event in time");
            let chunk = chunk.expect("an open stream").expect("a stream that goes on");
            self.unread.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }

    /// The data of the next event of this name that passes; what comes before it is passed over.
    pub(crate) async fn until(&mut self, name: &str, passes: impl Fn(&Value) -> bool) -> Value {
        let search = async {
            loop {
                let (found, data) = self.next().await;
                if found == name && passes(&data) {
                    return data;
                }
            }
        };
        tokio::time::timeout(SOON, search).await.unwrap_or_else(|_| panic!("no event {name} that passes"))
    }
}

/// `None` for a comment that only keeps the line open.
fn parse(text: &str) -> Option<Event> {
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data = line("data")?;
    Some((line("event")?.to_owned(), serde_json::from_str(data).unwrap_or_else(|error| panic!("{error} in {data}"))))
}
