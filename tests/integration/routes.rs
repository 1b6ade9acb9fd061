//! The route table as a document and as a promise: `docs/routes.md` is current, and no route of a town is open by mistake.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gastown::routes::{ROUTES, Route};
use gastown_core::access::Level;

use crate::support;

/// Routes that need no credential; each addition is a decision.
const PUBLIC: [&str; 4] = ["health::show", "health::meta", "health::document", "session::create"];

#[test]
fn the_document_is_the_table() {
    let mut document = String::from(
        "# Routes\n\nEvery way into the Worker, from the table in `src/routes.rs`. Written by a test; read by people.\n\
         **K**: honours `Idempotency-Key`. Any one of the levels is enough; roles narrow agents.\n",
    );
    let mut groups: BTreeMap<&str, Vec<&Route>> = BTreeMap::new();
    for route in ROUTES {
        groups.entry(group(route)).or_default().push(route);
    }
    for (group, routes) in groups {
        writeln!(document, "\n## {group}\n\n| Method and path | Access | Operation |\n|---|---|---|").unwrap();
        for route in routes {
            let key = if route.is_idempotent { " **K**" } else { "" };
            let path = route.path;
            writeln!(document, "| {} `{path}`{key} | {} | {} |", route.method.as_str(), access(route), route.operation)
                .unwrap();
        }
    }
    let path = support::root().join("docs/routes.md");
    expect_test::expect_file![path].assert_eq(&document);
}

#[test]
fn only_the_named_routes_are_public() {
    let public: Vec<&str> = ROUTES.iter().filter(|r| r.access.is_public()).map(|route| route.operation).collect();
    assert_eq!(public, PUBLIC);
}

#[test]
fn a_route_of_a_town_asks_for_a_right_in_that_town() {
    // An organisation's path asks for a right in the organisation; that the town is its own is asked when it is entered.
    let of_towns = ROUTES.iter().filter(|route| route.path.contains("{townId}") && !route.path.contains("{orgId}"));
    for route in of_towns {
        let is_of_town = |level: &Level| match level {
            Level::TownMember | Level::TownOwner | Level::Agent | Level::RigAgents | Level::Mayor | Level::Runtime => {
                true
            }
            Level::Public | Level::User | Level::OrgMember | Level::OrgOwner => false,
        };
        assert!(route.access.any_of.iter().all(is_of_town), "{}", route.operation);
    }
}

fn access(route: &Route) -> String {
    let levels: Vec<&str> = route.access.any_of.iter().map(|level| level.as_str()).collect();
    let roles: Vec<&str> = route.access.roles.iter().map(|role| role.as_str()).collect();
    if roles.is_empty() { levels.join(", ") } else { format!("{} ({})", levels.join(", "), roles.join(", ")) }
}

fn group(route: &Route) -> &'static str {
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
