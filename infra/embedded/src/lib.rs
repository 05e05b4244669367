//! Kafka and ClickHouse for one machine: child processes that keep their data in a folder, survive kill -9 and listen on
//! 127.0.0.1 only. It refuses to know what is stored in them: topics and tables belong to `bus` and `store`.

pub mod clickhouse;
pub mod kafka;
pub mod port;
pub mod process;
