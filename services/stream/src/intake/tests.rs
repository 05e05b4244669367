//! The way of records, without Kafka and without timely.
