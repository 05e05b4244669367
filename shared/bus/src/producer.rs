//! Producing: idempotent, acknowledged by all, keyed by Kafka's own hash.

use crate::{BusError, KafkaConfig, error, log::Logs};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::Producer as _;
use rdkafka::producer::future_producer::{DeliveryFuture, FutureProducer, FutureRecord};
use rdkafka::util::TokioRuntime;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How to produce.
#[derive(Clone, Debug)]
pub struct ProducerOptions {
    /// Shown in the broker's log and metrics.
    pub client_id: String,
    /// How long a message may wait for others to share a request.
    pub linger: Duration,
    /// How long until an unacknowledged message is given up.
    pub delivery_timeout: Duration,
    /// How many messages may be under way.
    pub queue_messages: u32,
}

impl ProducerOptions {
    /// Defaults with a client id.
    pub fn named(client_id: &str) -> Self {
        Self {
            client_id: client_id.to_owned(),
            linger: Duration::from_millis(5),
            delivery_timeout: Duration::from_secs(60),
            queue_messages: 200_000,
        }
    }
}

/// A message to produce.
#[derive(Clone, Copy, Debug, Default)]
pub struct Message<'a> {
    /// Topic, without prefix.
    pub topic: &'a str,
    /// Key: decides the partition (`murmur2_random`) unless one is named.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is a tombstone or a marker.
    pub payload: Option<&'a [u8]>,
    /// Headers.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// A partition of one's own choice.
    pub partition: Option<i32>,
}

/// Produces to Kafka; cheap to clone, all clones share one connection pool and one queue.
#[derive(Clone)]
pub struct Producer {
    inner: FutureProducer<Logs, TokioRuntime>,
    kafka: KafkaConfig,
}

impl Producer {
    /// Makes a producer; connects by itself.
    pub fn new(kafka: &KafkaConfig, options: &ProducerOptions) -> Result<Self, BusError> {
        let linger = options.linger.as_millis().to_string();
        let timeout = options.delivery_timeout.as_millis().to_string();
        let queue = options.queue_messages.to_string();
        let defaults = [
            ("compression.type", "lz4"),
            ("linger.ms", linger.as_str()),
            ("message.timeout.ms", &timeout),
            ("queue.buffering.max.messages", &queue),
            ("batch.size", "524288"),
            // As long as the longest message any topic of the table takes; the topic's own limit decides.
            ("message.max.bytes", "16777216"),
        ];
        let fixed = [("enable.idempotence", "true"), ("acks", "all"), ("partitioner", "murmur2_random")];
        let inner = kafka
            .client(&options.client_id, &defaults, &fixed)
            .create_with_context(Logs::default())
            .map_err(|error| BusError::request(&kafka.bootstrap, &error))?;
        Ok(Self { inner, kafka: kafka.clone() })
    }

    /// Produces and waits until Kafka has acknowledged: (partition, offset).
    pub async fn send(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
        headers: &[(&str, &[u8])],
    ) -> Result<(i32, i64), BusError> {
        self.submit(&Message { topic, key, payload, headers, partition: None }).await?.await
    }

    /// Queues a message, waiting while the queue is full; the delivery is awaited on its own.
    pub async fn submit(&self, message: &Message<'_>) -> Result<Delivery, BusError> {
        loop {
            match self.enqueue(message) {
                Err(BusError::QueueFull) => tokio::time::sleep(Duration::from_millis(5)).await,
                other => return other,
            }
        }
    }

    /// As [`Producer::submit`] for a thread that may block, at most for `timeout`.
    pub fn submit_blocking(&self, message: &Message<'_>, timeout: Duration) -> Result<Delivery, BusError> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.enqueue(message) {
                Err(BusError::QueueFull) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                other => return other,
            }
        }
    }

    /// Queues a message; [`BusError::QueueFull`] when there is no room. Drop the [`Delivery`] if nobody waits for it.
    pub fn enqueue(&self, message: &Message<'_>) -> Result<Delivery, BusError> {
        let name = self.kafka.full_name(message.topic);
        let mut record = FutureRecord::<[u8], [u8]>::to(&name);
        record.key = message.key;
        record.payload = message.payload;
        record.partition = message.partition;
        if !message.headers.is_empty() {
            let headers = message
                .headers
                .iter()
                .fold(OwnedHeaders::new_with_capacity(message.headers.len()), |headers, (key, value)| {
                    headers.insert(Header { key, value: Some(*value) })
                });
            record.headers = Some(headers);
        }
        match self.inner.send_result(record) {
            Ok(future) => Ok(Delivery { future, topic: message.topic.to_owned() }),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => Err(BusError::QueueFull),
            Err((error, _)) => Err(undelivered(message.topic, &error)),
        }
    }

    /// Waits (blocking the thread) until everything queued is acknowledged or given up.
    pub fn flush(&self, timeout: Duration) -> Result<(), BusError> {
        self.inner.flush(timeout).map_err(|_| BusError::TimedOut(timeout.as_millis(), "flush of the producer"))
    }

    /// Why this producer cannot produce any more (it lost its place in an idempotent sequence), if so. Only a new one can.
    pub fn fatal_error(&self) -> Option<String> {
        self.inner.client().fatal_error().map(|(code, words)| format!("{code}: {words}"))
    }

    /// How many messages are not acknowledged yet.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.inner.in_flight_count()).unwrap_or(0)
    }
}

/// A queued message's acknowledgement: resolves to (partition, offset).
pub struct Delivery {
    future: DeliveryFuture,
    topic: String,
}

impl Future for Delivery {
    type Output = Result<(i32, i64), BusError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.future).poll(context).map(|outcome| match outcome {
            Ok(Ok(delivery)) => Ok((delivery.partition, delivery.offset)),
            Ok(Err((error, _))) => Err(undelivered(&self.topic, &error)),
            Err(_) => Err(BusError::Undelivered {
                topic: self.topic.clone(),
                detail: "the producer was closed".to_owned(),
                hint: crate::Hint::Fatal,
            }),
        })
    }
}

fn undelivered(topic: &str, failure: &KafkaError) -> BusError {
    let (topic, detail) = (topic.to_owned(), failure.to_string());
    match failure.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => BusError::TooLarge { topic, detail },
        code => BusError::Undelivered { topic, detail, hint: code.map_or(crate::Hint::Fatal, error::hint_of) },
    }
}
