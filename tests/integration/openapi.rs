//! The API document is the route table: `docs/openapi.json` is current, and every row is described.

use std::collections::BTreeSet;

use gastown::routes::ROUTES;
use serde_json::Value;

use crate::support;

#[test]
fn the_document_is_the_table() {
    let document = serde_json::to_string_pretty(&gastown::http::openapi::document()).unwrap() + "\n";
    let path = support::root().join("docs/openapi.json");
    expect_test::expect_file![path].assert_eq(&document);
}

#[test]
fn every_row_has_one_operation_with_an_example() {
    let document = gastown::http::openapi::document();
    let mut ids = BTreeSet::new();
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.as_str().to_ascii_lowercase()];
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{} is not described", route.path));
        assert!(ids.insert(id.to_owned()), "{id} names two rows");
        assert!(operation.to_string().contains("\"example\":"), "{id} has no example");
        assert!(operation["x-gastown-access"].as_array().is_some_and(|levels| !levels.is_empty()), "{id}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = gastown::http::openapi::document();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(references.len() > 50, "{references:?}");
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
    }
}
