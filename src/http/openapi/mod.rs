//! The API document: OpenAPI 3.1, made from the route table and the types of the wire (api.md 1.10). Behind the feature
//! `schema`: a test writes it to `docs/openapi.json`, the deployment serves that file, and the wasm carries nothing of it.
//!
//! A row of the table says what is its own ([`Docs`]); what every route of its kind has (errors, headers, the envelope)
//! is said here, once. `shapes` names the small answers that have no type elsewhere.

mod example;
mod refusals;
pub mod shapes;

use gastown_core::access::Level;
use gastown_core::wire::api::read::Request;
use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::{ErrorBody, Warning};
use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::routes::{Method, ROUTES, Route};
use shapes::{Bare, Json, Stream};

/// Writes a schema, as a reference where it has a name.
pub type Describe = fn(&mut Schemas) -> Value;

/// What a row of the table says of itself.
pub struct Docs {
    /// Names of the query.
    pub query: &'static [&'static str],
    /// The body.
    pub body: Option<Describe>,
    /// Status of the answer.
    pub status: u16,
    /// The answer.
    pub reply: fn(&mut Schemas) -> Answer,
    /// Refusals beyond those that every route of its kind has.
    pub refusals: &'static [Code],
}

/// The content of a successful answer.
pub struct Answer {
    media_type: &'static str,
    schema: Value,
}

/// Named schemas that were used so far.
pub struct Schemas {
    generator: SchemaGenerator,
    requests: Map<String, Value>,
}

impl Schemas {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            settings.contract = Contract::Serialize;
        });
        Self { generator: settings.into_generator(), requests: Map::new() }
    }

    fn of<T: JsonSchema>(&mut self) -> Value {
        self.generator.subschema_for::<T>().to_value()
    }

    fn into_map(self) -> Map<String, Value> {
        let Self { mut generator, requests } = self;
        let mut all = generator.take_definitions(true);
        all.extend(requests);
        all.sort_keys();
        all
    }
}

/// A request body that can be described.
pub trait Body {
    /// Its schema, or a reference to it.
    fn describe(schemas: &mut Schemas) -> Value;
}

impl<T: Request> Body for T {
    fn describe(schemas: &mut Schemas) -> Value {
        let name = std::any::type_name::<T>().rsplit("::").next().unwrap_or_default().to_owned();
        let schema = gastown_core::wire::api::record::schema::<T>();
        let known = schemas.requests.entry(name.clone()).or_insert_with(|| schema.clone());
        if *known == schema { json!({ "$ref": format!("#/components/schemas/{name}") }) } else { schema }
    }
}

impl<T: JsonSchema> Body for Json<T> {
    fn describe(_: &mut Schemas) -> Value {
        let inline = SchemaSettings::draft2020_12().with(|settings| {
            settings.meta_schema = None;
            settings.inline_subschemas = true;
            settings.contract = Contract::Deserialize;
        });
        inline.into_generator().into_root_schema_for::<T>().to_value()
    }
}

/// The schema of a body.
pub fn body<T: Body>(schemas: &mut Schemas) -> Value {
    T::describe(schemas)
}

/// An answer that can be described.
pub trait Describable {
    /// Its media type and schema.
    fn answer(schemas: &mut Schemas) -> Answer;
}

impl<T: JsonSchema> Describable for T {
    fn answer(schemas: &mut Schemas) -> Answer {
        let data = schemas.of::<T>();
        let warnings = json!({ "type": "array", "items": schemas.of::<Warning>() });
        let schema = json!({
            "type": "object",
            "properties": { "success": { "const": true }, "data": data, "warnings": warnings },
            "required": ["success", "data"],
        });
        Answer { media_type: "application/json", schema }
    }
}

impl<T: JsonSchema> Describable for Bare<T> {
    fn answer(schemas: &mut Schemas) -> Answer {
        Answer { media_type: "application/json", schema: schemas.of::<T>() }
    }
}

impl Describable for Stream {
    fn answer(_: &mut Schemas) -> Answer {
        Answer { media_type: "text/event-stream", schema: json!({}) }
    }
}

/// The content of an answer.
pub fn reply<T: Describable>(schemas: &mut Schemas) -> Answer {
    T::answer(schemas)
}

/// The whole document.
pub fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut refusals = Refusals { error: schemas.of::<ErrorBody>(), named: Map::new() };
    let mut paths: Map<String, Value> = Map::new();
    let mut operations: Vec<(&Route, Value)> =
        ROUTES.iter().map(|route| (route, operation(route, &mut schemas, &mut refusals))).collect();
    let named = Value::Object(schemas.into_map());
    for (route, operation) in &mut operations {
        example::give(operation, &named);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation.take();
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Gas Town",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Teams of coding agents over git repositories. Answers are wrapped: {success, data, warnings?}, errors {success, error, code, request_id, issues?, details?}.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags(),
        "paths": paths,
        "components": { "schemas": named, "responses": refusals.named, "securitySchemes": security_schemes() },
    })
}

fn operation(route: &Route, schemas: &mut Schemas, named: &mut Refusals) -> Value {
    let docs = &route.docs;
    let levels: Vec<&str> = route.access.any_of.iter().map(|level| level.as_str()).collect();
    let Answer { media_type, schema } = (docs.reply)(schemas);
    let mut responses = Map::new();
    let mut answer = json!({ "description": "Done", "content": { media_type: { "schema": schema } } });
    if route.is_idempotent {
        answer["headers"] = json!({ "Idempotency-Replayed": header("`true` when the same key was answered before") });
    }
    responses.insert(docs.status.to_string(), answer);
    for (status, codes) in refusals::of(route) {
        responses.insert(status.to_string(), named.refer(status, &codes));
    }
    if route.method == Method::Get && media_type == "application/json" {
        responses.insert("304".to_owned(), json!({ "description": "Not modified since If-None-Match" }));
    }
    let mut operation = json!({
        "operationId": operation_id(route),
        "tags": [tag(route)],
        "x-gastown-access": levels,
        "parameters": parameters(route),
        "responses": responses,
    });
    if !route.access.roles.is_empty() {
        operation["x-gastown-roles"] = json!(route.access.roles);
    }
    operation["security"] = if route.access.is_public() { json!([]) } else { security(route.access.any_of) };
    if let Some(describe) = docs.body {
        // An empty body counts as `{}`.
        let schema = describe(schemas);
        operation["requestBody"] = json!({ "content": { "application/json": { "schema": schema } } });
    }
    operation
}

/// Unique per row: handlers that serve several paths are told apart by the path.
fn operation_id(route: &Route) -> String {
    let same: Vec<&Route> = ROUTES.iter().filter(|other| other.operation == route.operation).collect();
    let position = same.iter().position(|other| std::ptr::eq(*other, route)).unwrap_or_default();
    let name = route.operation.replace("::", ".");
    if position == 0 { name } else { format!("{name}.{}", position + 1) }
}

/// Refusals that several routes share, each written once.
struct Refusals {
    error: Value,
    named: Map<String, Value>,
}

impl Refusals {
    /// Refers to the refusal with this status and these codes.
    fn refer(&mut self, status: u16, codes: &[Code]) -> Value {
        let refusal = refusal(status, codes, &self.error);
        let known = self.named.iter().find(|(_, known)| **known == refusal).map(|(name, _)| name.clone());
        let name = known.unwrap_or_else(|| {
            let same = self.named.keys().filter(|name| name.starts_with(&format!("Refused{status}"))).count();
            let name = format!("Refused{status}_{}", same + 1);
            self.named.insert(name.clone(), refusal);
            name
        });
        json!({ "$ref": format!("#/components/responses/{name}") })
    }
}

fn refusal(status: u16, codes: &[Code], error: &Value) -> Value {
    let words: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let mut headers = Map::new();
    if status == 401 {
        headers.insert("WWW-Authenticate".to_owned(), header("Bearer"));
    }
    if status == 429 || status == 503 {
        headers.insert("Retry-After".to_owned(), header("Seconds after which it may be tried again"));
    }
    let schema = json!({ "allOf": [error, { "properties": { "code": { "enum": words } } }] });
    let mut refusal =
        json!({ "description": words.join(", "), "content": { "application/json": { "schema": schema } } });
    if !headers.is_empty() {
        refusal["headers"] = headers.into();
    }
    refusal
}

fn header(description: &str) -> Value {
    json!({ "description": description, "schema": { "type": "string" } })
}

fn parameters(route: &Route) -> Vec<Value> {
    let named = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = named.map(|name| {
        let schema = match name {
            "userId" | "orgId" => json!({ "type": "string", "minLength": 1 }),
            // The mayor has a literal for its rig, and a word for itself.
            "rigId" | "agentId" => json!({ "type": "string", "minLength": 1, "examples": [example::UUID] }),
            _ => json!({ "type": "string", "format": "uuid" }),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    });
    let in_query = route.docs.query.iter().map(|name| {
        let (schema, description) = query(name);
        let required = matches!(*name, "from" | "to");
        json!({ "name": name, "in": "query", "required": required, "schema": schema, "description": description })
    });
    let mut all: Vec<Value> = in_path.chain(in_query).collect();
    if route.is_idempotent {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[\\x20-\\x7e]+$" });
        let description = "The same key gets the same answer for 24 hours";
        all.push(
            json!({ "name": "Idempotency-Key", "in": "header", "required": false, "schema": schema, "description": description }),
        );
    }
    all
}

/// Schema and meaning of a name in a query.
fn query(name: &str) -> (Value, &'static str) {
    let text = || json!({ "type": "string" });
    let instant = || json!({ "type": "string", "format": "date-time" });
    let number = || json!({ "type": "integer", "minimum": 0 });
    match name {
        "limit" => (number(), "At most so many; above the largest page it is the largest page"),
        "offset" => (number(), "Leaves out so many"),
        "cursor" => (text(), "Goes on where a page ended: its X-Next-Cursor"),
        "count" => (json!({ "type": "boolean" }), "Adds X-Total-Count"),
        "since" | "updated_since" | "from" => (instant(), "Not before this instant"),
        "to" => (instant(), "Before this instant"),
        "after" | "after_id" | "after_seq" | "before_id" => (text(), "Only what comes after this one"),
        "q" => (text(), "Words in the title or the name"),
        "peek" | "effective" | "acknowledged" | "delivered" => (json!({ "type": "boolean" }), "Yes or no"),
        "rig_id" => (text(), "Only of this rig, or of these, separated by commas"),
        _ => (text(), "One value, or several separated by commas"),
    }
}

fn tag(route: &Route) -> &'static str {
    let path = route.path;
    match () {
        () if path.starts_with("/api/mayor/") => "Mayor tools",
        () if route.access.any_of == [Level::Runtime] => "Runtime",
        () if path.contains("/rigs/{rigId}/agents/{agentId}") => "Agents' own",
        () if path.contains("/rigs/{rigId}/") => "Rig",
        () if path.contains("/towns/{townId}/") => "Town",
        () => "Service and account",
    }
}

fn tags() -> Value {
    json!([
        { "name": "Service and account" }, { "name": "Town" }, { "name": "Rig" },
        { "name": "Agents' own" }, { "name": "Mayor tools" }, { "name": "Runtime" },
    ])
}

fn security(levels: &[Level]) -> Value {
    let is_for_people = |level: &Level| match level {
        Level::Public | Level::User | Level::TownMember | Level::TownOwner | Level::OrgMember | Level::OrgOwner => true,
        Level::Agent | Level::RigAgents | Level::Mayor | Level::Runtime => false,
    };
    if levels.iter().any(is_for_people) {
        json!([{ "bearer": [] }, { "session": [] }])
    } else {
        json!([{ "bearer": [] }])
    }
}

fn security_schemes() -> Value {
    json!({
        "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
        "session": { "type": "apiKey", "in": "cookie", "name": "__Host-gastown_session" },
    })
}
