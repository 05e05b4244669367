//! The embedded engine, with the real library and the official client. One engine serves all tests that do not end it.
//!
//! What the library would do to a caller who does not know it, and where it is shown that it does not happen here:
//!
//! | Trap | Test, or the file that avoids it |
//! |---|---|
//! | a failed query's output stands in front of the next answer | `client::an_error_in_the_middle_is_told_and_leaves_nothing_behind`, `client::a_session_keeps_temporary_tables` |
//! | unloading it crashes at the end; its signal handlers take SIGTERM | `life::sigterm_ends_it_cleanly_while_queries_run` |
//! | binary data in a query's text is cut at `;`, silently | `client::data_full_of_semicolons_arrives_whole`, `bodies::text_and_binary_data_in_one_body` |
//! | every chunk of a stream is a document of its own | `client::a_cursor_reads_many_chunks`, `client::json_is_one_document` |
//! | SYSTEM SHUTDOWN, file(), url(), INTO OUTFILE, every file a table of `default` | `reach` |
//! | `chdb_shutdown` leaves it unusable | not called, not even looked up: `src/clickhouse/ffi.rs` |
//! | bad SQL of every kind | `http::bad_sql_breaks_nothing` |
//! | several statements in one query all run | `http::several_statements_are_refused` |
//! | SET, USE and readonly stick to a connection | `client::what_a_caller_sets_does_not_reach_others`, `client::settings_last_for_one_query`, `http::a_get_writes_nothing` |
//! | a second process on the same folder, a second folder in one process | `life::a_folder_has_one_owner`; one pool with one folder: `src/clickhouse/connection.rs` |
//! | freed memory is kept beyond the limit | `memory::what_wants_too_much_gets_an_error_and_the_process_lives` |
//! | a cancelled insert leaves the blocks of a million rows that were full | documented in `src/clickhouse/insert.rs`; `client::an_insert_that_is_dropped_inserts_nothing` |
//!
//! Without the library (`infra/embedded/fetch-clickhouse.sh`) the tests say so and pass; with `CI=true` they fail.
#![allow(clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod bodies;
mod client;
mod door;
mod engine;
mod http;
mod life;
mod memory;
mod reach;
mod rows;
mod store;
