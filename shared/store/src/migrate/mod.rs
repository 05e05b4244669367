//! Migrations: numbered SQL files, built into the program, applied in order, each once.
//!
//! ClickHouse has no transactions over DDL, and several services may start at once. So every statement is written to be
//! harmless when repeated (`IF NOT EXISTS`, tested), a file is noted as applied after its last statement, and the notes
//! are read again before each file: what another service applied meanwhile is left alone. A file that was cut short is
//! applied again from its first statement.

mod files;
mod split;

use crate::{config::ClickHouseConfig, error::StoreError};
use clickhouse::{Client, Row};
use files::FILES;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use split::statements;

/// A migration that is in the database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// Its number.
    pub number: u32,
    /// Its name, the file's without number and ending.
    pub name: String,
    /// SHA-256 of the file, hex.
    pub hash: String,
    /// Whether this very call applied it.
    pub now: bool,
}

/// A migration in the program.
struct Migration {
    number: u32,
    name: &'static str,
    sql: &'static str,
}

impl Migration {
    fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.sql.as_bytes()))
    }
}

#[derive(Row, Deserialize)]
struct Note {
    number: u32,
    name: String,
    hash: String,
}

const CREATE_NOTES: &str = "CREATE TABLE IF NOT EXISTS schema_migrations \
    (number UInt32, name String, hash String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3)) \
    ENGINE = ReplacingMergeTree ORDER BY number";
/// Every different note, so that none hides behind another of the same number.
const READ_NOTES: &str = "SELECT DISTINCT number, name, hash FROM schema_migrations ORDER BY number, name, hash";
const WRITE_NOTE: &str =
    "INSERT INTO schema_migrations (number, name, hash) SELECT {number:UInt32}, {name:String}, {hash:String}";

/// Brings the database to this program's schema: creates it when missing, applies what is missing, in order. Returns all
/// migrations, oldest first. An applied file that differs from the program's is an error.
pub async fn migrate(config: &ClickHouseConfig) -> Result<Vec<Applied>, StoreError> {
    create_database(config).await?;
    let client = config.client();
    client.query_raw(CREATE_NOTES).execute().await?;
    let mut notes = read_notes(&client).await?;
    let mut applied = Vec::new();
    for migration in FILES {
        if !is_noted(&notes, migration) {
            notes = read_notes(&client).await?;
        }
        let now = !is_noted(&notes, migration);
        if now {
            apply(&client, migration).await?;
            tracing::info!(number = migration.number, name = migration.name, "migration applied");
        }
        let name = migration.name.to_owned();
        applied.push(Applied { number: migration.number, name, hash: migration.hash(), now });
    }
    Ok(applied)
}

/// Names of the migrations the database lacks, in order; changes nothing.
pub async fn pending(config: &ClickHouseConfig) -> Result<Vec<String>, StoreError> {
    let notes = read_notes(&config.client()).await?;
    let lacking = FILES.iter().filter(|file| !is_noted(&notes, file));
    Ok(lacking.map(|file| format!("{:04} {}", file.number, file.name)).collect())
}

async fn read_notes(client: &Client) -> Result<Vec<Note>, StoreError> {
    let notes: Vec<Note> = client.query_raw(READ_NOTES).fetch_all().await?;
    check_notes(&notes)?;
    Ok(notes)
}

fn is_noted(notes: &[Note], migration: &Migration) -> bool {
    notes.iter().any(|note| note.number == migration.number)
}

async fn create_database(config: &ClickHouseConfig) -> Result<(), StoreError> {
    let name = &config.database;
    if !is_plain_name(name) {
        return Err(StoreError::Caller(
            "the database's name may hold letters, digits and _ only, and starts with a letter",
        ));
    }
    let sql = format!("CREATE DATABASE IF NOT EXISTS {name}");
    Ok(config.server().query_raw(&sql).execute().await?)
}

fn is_plain_name(name: &str) -> bool {
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts_well && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What is applied must be what this program holds under that number.
fn check_notes(notes: &[Note]) -> Result<(), StoreError> {
    for note in notes {
        let number = note.number;
        let Some(known) = FILES.iter().find(|file| file.number == number) else {
            return Err(StoreError::MigrationUnknown { number, name: note.name.clone() });
        };
        if known.hash() != note.hash {
            return Err(StoreError::MigrationChanged { number, name: note.name.clone() });
        }
    }
    Ok(())
}

async fn apply(client: &Client, migration: &Migration) -> Result<(), StoreError> {
    let failed = |error: clickhouse::error::Error| StoreError::MigrationFailed {
        number: migration.number,
        name: migration.name,
        source: Box::new(error.into()),
    };
    for statement in statements(migration.sql) {
        client.query_raw(statement).execute().await.map_err(failed)?;
    }
    let note = client.query_raw(WRITE_NOTE);
    let note = note.param("number", migration.number).param("name", migration.name).param("hash", migration.hash());
    note.execute().await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered_without_gaps_and_all_of_them_are_here() {
        let numbers: Vec<u32> = FILES.iter().map(|file| file.number).collect();
        assert_eq!(numbers, (1..=FILES.len() as u32).collect::<Vec<_>>());
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/schema/clickhouse");
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let built_in: Vec<String> = FILES.iter().map(|file| format!("{:04}_{}.sql", file.number, file.name)).collect();
        assert_eq!(names, built_in);
    }

    #[test]
    fn every_statement_is_harmless_when_repeated() {
        for file in FILES {
            for statement in statements(file.sql) {
                let words = statement.to_ascii_uppercase();
                // Written out again a column holds what it held; rows copied again collapse, for their table replaces.
                let harmless = [
                    "IF NOT EXISTS",
                    "IF EXISTS",
                    "OR REPLACE",
                    "MATERIALIZE COLUMN",
                    "INSERT INTO AREA_WINDOWS_ROWS SELECT * FROM AREA_METRICS_ROWS",
                ];
                assert!(harmless.iter().any(|h| words.contains(h)), "{}: {statement}", file.name);
            }
        }
    }

    #[test]
    fn a_changed_or_unknown_migration_is_an_error() {
        let note = |number: u32, hash: String| Note { number, name: "x".into(), hash };
        assert!(check_notes(&[note(1, FILES[0].hash())]).is_ok());
        let changed = check_notes(&[note(1, FILES[0].hash()), note(1, "00".into())]);
        assert!(matches!(changed, Err(StoreError::MigrationChanged { number: 1, .. })));
        let unknown = check_notes(&[note(9999, "00".into())]);
        assert!(matches!(unknown, Err(StoreError::MigrationUnknown { number: 9999, .. })));
    }

    #[test]
    fn a_database_name_is_plain() {
        assert!(is_plain_name("gridwarden_1"));
        for bad in ["", "1a", "a-b", "a; DROP TABLE x", "数"] {
            assert!(!is_plain_name(bad), "{bad}");
        }
    }
}
