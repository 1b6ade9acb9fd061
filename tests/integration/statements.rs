//! Every SQL constant of every store: it prepares against the migrated schema of its object, and binds no more than a
//! Durable Object allows. The constants are found in the source, so that none can be forgotten.

use std::path::{Path, PathBuf};

use gastown::sql::migrate::{self, Migration};

use crate::support::{self, TestSql};

/// A Durable Object binds at most this many parameters.
const PARAMETERS_MAX: usize = 100;

/// Where statements are, and the schema they are for.
const STORES: [(&str, &[Migration]); 9] = [
    ("src/account/store.rs", migrate::ACCOUNT),
    ("src/town/store", migrate::TOWN),
    ("src/town/conversation.rs", migrate::TOWN),
    ("src/rig/store", migrate::RIG),
    ("src/requests.rs", migrate::ACCOUNT),
    ("src/requests.rs", migrate::TOWN),
    ("src/requests.rs", migrate::RIG),
    ("src/town_container/store.rs", migrate::CONTAINER),
    ("src/town_container/tickets.rs", migrate::CONTAINER),
];

/// Statements that read what the rules look at, one row, or the history of one: they must not read all of history.
const NEVER_SCAN: [&str; 25] = [
    "assignments.rs SELECT_NEWEST",
    "SELECT_AFTER",
    "admission.rs SELECT_USAGE",
    "SELECT_DAYS",
    "SELECT_OF_CONVOY",
    "SELECT_SUMMARY",
    "SELECT_GATE_RUNS",
    "SELECT_EDGES_OF",
    "SELECT_LIVE",
    "SELECT_LIVE_EDGES",
    "SELECT_LIVE_GATE_RUNS",
    "SELECT_LIVE_RIGS",
    "SELECT_LIVE_ROUNDS",
    "SELECT_LIVE_TASKS",
    "SELECT_NEWEST_OF_BEADS",
    "SELECT_OF_AGENT",
    "SELECT_OF_BEAD",
    "SELECT_ONE",
    "SELECT_OPEN",
    "SELECT_RIGS_OF",
    "SELECT_ROUNDS",
    "SELECT_TASKS_OF",
    "SELECT_UNDELIVERED",
    "SELECT_WAITING",
    "events.rs TRIM",
];

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
    assert!(found > 90, "only {found} statements were found");
}

#[test]
fn what_rules_look_at_is_found_without_reading_history() {
    for (place, schema) in STORES {
        let sql = TestSql::migrated(schema);
        for (name, statement) in statements(place) {
            if !NEVER_SCAN.iter().any(|statement| name == *statement || name.ends_with(&format!(" {statement}"))) {
                continue;
            }
            for detail in sql.plan(&statement) {
                // What is scanned besides is a list of parameters.
                let is_free = detail.contains("USING INDEX") || detail.contains("VIRTUAL TABLE");
                let whole_table = detail.starts_with("SCAN") && !is_free;
                assert!(!whole_table, "{name}: {detail}");
            }
        }
    }
}

/// Columns that keep what the first insertion said: `file column`.
const KEPT: [&str; 1] = ["protocol.rs stream"];

#[test]
fn a_row_that_exists_gets_every_column_that_a_new_one_gets() {
    let mut found = 0;
    for (name, statement) in STORES.iter().flat_map(|(place, _)| statements(place)) {
        let Some((insert, update)) = statement.split_once("do update set") else { continue };
        found += 1;
        let file = name.split(' ').next().unwrap();
        let between = |text: &str, after: &str| -> Vec<String> {
            let list = text.split_once(after).unwrap().1.split_once('(').unwrap().1.split_once(')').unwrap().0;
            list.split(',').map(|column| column.trim().to_owned()).collect()
        };
        let key = between(insert, "on conflict");
        for column in between(insert, "insert into").iter().filter(|column| !key.contains(column)) {
            let is_set = update.split(',').any(|set| set.split('=').next().unwrap().trim() == column);
            let is_kept = KEPT.contains(&format!("{file} {column}").as_str());
            assert!(is_set != is_kept, "{name}: {column} of a row that exists");
        }
    }
    assert!(found > 12, "only {found} were found");
}

#[test]
fn no_file_with_statements_is_forgotten() {
    // The port and the runner of migrations come before any schema.
    let known = |file: &str| STORES.iter().any(|(place, _)| file.starts_with(place)) || file.starts_with("src/sql/");
    for file in rust_files(Path::new("src")) {
        assert!(known(&file) || statements(&file).is_empty(), "{file} holds statements: name its schema in STORES");
    }
}

fn rust_files(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(support::root().join(folder)).unwrap() {
        let path = folder.join(entry.unwrap().file_name());
        let name = path.to_str().unwrap();
        if name.ends_with(".rs") {
            files.push(name.to_owned());
        } else if support::root().join(&path).is_dir() {
            files.extend(rust_files(&path));
        }
    }
    files
}

/// The constants of a file or folder that hold a statement: `file NAME` and the text.
fn statements(place: &str) -> Vec<(String, String)> {
    let place = support::root().join(place);
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
