//! Every SQL constant of every store: it prepares against the migrated schema of its object, and binds no more than a
//! Durable Object allows. The constants are found in the source, so that none can be forgotten.

use std::path::{Path, PathBuf};

use gastown::sql::migrate::{self, Migration};

use crate::support::TestSql;

/// A Durable Object binds at most this many parameters.
const PARAMETERS_MAX: usize = 100;

/// Where statements are, and the schema they are for.
const STORES: [(&str, &[Migration]); 2] = [("src/town/store", migrate::TOWN), ("src/rig/store", migrate::RIG)];

/// Statements that read what the rules look at, or one row: they must not read history to find it.
const NEVER_SCAN: [&str; 4] = ["SELECT_WAITING", "SELECT_OPEN", "SELECT_ONE", "SELECT_AFTER"];

#[test]
fn every_statement_prepares() {
    let mut found = 0;
    for (place, schema) in STORES {
        let sql = TestSql::migrated(schema);
        for (name, statement) in statements(place) {
            found += 1;
            let parameters = sql.parameters(&statement).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(parameters <= PARAMETERS_MAX, "{name} binds {parameters}");
        }
    }
    assert!(found > 25, "only {found} statements were found");
}

#[test]
fn what_rules_look_at_is_found_without_reading_history() {
    for (place, schema) in STORES {
        let sql = TestSql::migrated(schema);
        for (name, statement) in statements(place) {
            if !NEVER_SCAN.contains(&name.rsplit(' ').next().unwrap_or_default()) {
                continue;
            }
            for detail in sql.plan(&statement) {
                let whole_table = detail.starts_with("SCAN") && !detail.contains("USING INDEX");
                assert!(!whole_table, "{name}: {detail}");
            }
        }
    }
}

/// The constants of a file or folder that hold a statement: `file NAME` and the text.
fn statements(place: &str) -> Vec<(String, String)> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
    let files: Vec<PathBuf> = if place.is_dir() {
        std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).collect()
    } else {
        vec![place]
    };
    let mut statements = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for constant in text.split("\nconst ").skip(1) {
            let Some((name, rest)) = constant.split_once(": &str =") else { continue };
            let statement = match rest.trim_start().strip_prefix("select!(") {
                Some(end) => format!("{} {}", columns(&text), literals(end.split_once(");").unwrap().0)),
                None => literals(rest.split_once("\";").map(|(text, _)| format!("{text}\"")).unwrap().as_str()),
            };
            let verb = statement.split_whitespace().next().unwrap_or_default();
            if ["select", "insert", "update", "delete", "with"].contains(&verb) {
                let file = file.file_name().unwrap().to_string_lossy();
                statements.push((format!("{file} {name}"), statement.clone()));
            }
        }
    }
    statements
}

/// The columns that a file's `select!` puts before each end of a statement.
fn columns(text: &str) -> String {
    let macro_text = text.split_once("macro_rules! select").unwrap().1;
    literals(macro_text.split_once("concat!(").unwrap().1.split_once("$rest").unwrap().0)
}

/// The string literals of a piece of source, joined.
fn literals(source: &str) -> String {
    source.split('"').skip(1).step_by(2).collect()
}
