//! Examples, made from the schemas: the same input gives the same example, and every example fits its schema.

use serde_json::{Map, Value, json};

/// The id in examples.
pub(super) const UUID: &str = "0f9a1b2c-3d4e-4f5a-8b6c-7d8e9f0a1b2c";
const INSTANT: &str = "2026-11-20T15:04:05.000Z";
/// References are followed this deep; below, optional parts are left out.
const DEPTH_MAX: usize = 6;

/// Gives an operation its example: the body where it has one, else the answer.
pub(super) fn give(operation: &mut Value, schemas: &Value) {
    let body = "/requestBody/content/application~1json";
    let answers = ["200", "201", "202"].map(|status| format!("/responses/{status}/content/application~1json"));
    let places = std::iter::once(body.to_owned()).chain(answers);
    for place in places {
        if let Some(content) = operation.pointer_mut(&place) {
            content["example"] = of(&content["schema"].clone(), schemas, 0);
            return;
        }
    }
    if let Some(content) = operation.pointer_mut("/responses/200/content/text~1event-stream") {
        content["example"] = json!("id: 42\nevent: activity\ndata: {\"seq\":42}\n\n");
    }
}

fn of(schema: &Value, schemas: &Value, depth: usize) -> Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return of(&schemas[name], schemas, depth + 1);
    }
    if let Some(value) = schema.get("const").or_else(|| schema["examples"].get(0)).or_else(|| schema.get("default")) {
        return value.clone();
    }
    if let Some(word) = schema["enum"].get(0) {
        return word.clone();
    }
    if let Some(variants) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
        let is_null = |variant: &&Value| variant["type"] == "null";
        let deep = depth >= DEPTH_MAX;
        let chosen = variants.iter().find(|variant| is_null(variant) == deep).or_else(|| variants.first());
        return chosen.map_or(Value::Null, |chosen| of(chosen, schemas, depth));
    }
    match kind(schema) {
        "object" => object(schema, schemas, depth),
        "array" if depth >= DEPTH_MAX && schema["minItems"].as_u64().unwrap_or(0) == 0 => json!([]),
        "array" => json!([of(&schema["items"], schemas, depth + 1)]),
        "string" => text(schema),
        "integer" => json!(schema["minimum"].as_i64().unwrap_or(1).max(1)),
        "number" => json!(1.5),
        "boolean" => json!(true),
        "null" => Value::Null,
        // Anything: a place in a list, mostly.
        _ => json!(0),
    }
}

fn kind(schema: &Value) -> &str {
    if let Some(kinds) = schema["type"].as_array() {
        return kinds.iter().find_map(|kind| kind.as_str().filter(|kind| *kind != "null")).unwrap_or("null");
    }
    let unnamed = if schema["properties"].is_object() { "object" } else { "any" };
    schema["type"].as_str().unwrap_or(unnamed)
}

fn object(schema: &Value, schemas: &Value, depth: usize) -> Value {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = schema["properties"].as_object().into_iter().flatten();
    let shown = fields.filter(|(name, field)| {
        *name != "warnings" && (required.contains(&name.as_str()) || (depth < 2 && field.get("$ref").is_none()))
    });
    let fields: Map<String, Value> = shown.map(|(name, field)| (name.clone(), of(field, schemas, depth + 1))).collect();
    Value::Object(fields)
}

fn text(schema: &Value) -> Value {
    match schema["format"].as_str() {
        Some("uuid") => json!(UUID),
        Some("date-time") => json!(INSTANT),
        Some("uri") => json!("https://example.com/shop.git"),
        _ if schema["pattern"].as_str().is_some_and(|pattern| pattern.starts_with("^[A-Za-z0-9:")) => json!("gt:docs"),
        _ => json!("Add a total to the cart".chars().take(most(schema)).collect::<String>()),
    }
}

fn most(schema: &Value) -> usize {
    schema["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
}
