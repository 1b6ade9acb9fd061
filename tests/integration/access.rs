//! Access of every row of the route table (api.md 2.2, 2.3), as far as credential, row and path decide it. The same table
//! is tried against the running Worker, with what stored rows decide, by `tests/e2e`.

use gastown::routes::{Method, ROUTES, Route};
use gastown_core::access::{
    Admission, AgentCaller, AgentSession, Caller, Denial, Level, MayorCaller, Membership, OrgRole, RuntimeCaller,
    Scope, UserCaller, admit,
};
use gastown_core::id::{AgentId, AssignmentId, InstanceId, RigId, RigRef, TownId};
use gastown_core::session::Role;
use gastown_core::time::Timestamp;

const TOWN: TownId = TownId::from_u128(1);
const RIG: RigId = RigId::from_u128(2);
const AGENT: AgentId = AgentId::from_u128(3);
const MAYOR: AgentId = AgentId::from_u128(4);
/// Of something else of each kind.
const OTHER: u128 = 99;

/// Each row: who calls; each column: a level that stands alone in a row of the route table. `ask`: stored rows decide.
/// `own`: `ok` where the path names no other account. `get`: reads only. `kind` is `credential_not_accepted`.
const CELLS: &str = "
                Public User            TownMember      TownOwner       OrgMember       OrgOwner        Agent           RigAgents       Mayor           Runtime
none            ok     unauthenticated unauthenticated unauthenticated unauthenticated unauthenticated unauthenticated unauthenticated unauthenticated unauthenticated
user            ok     own             ask             ask             forbidden       forbidden       kind            kind            kind            kind
member          ok     own             ask             ask             ok              forbidden       kind            kind            kind            kind
billing_manager ok     own             ask             ask             forbidden       forbidden       kind            kind            kind            kind
owner           ok     own             ask             ask             ok              ok              kind            kind            kind            kind
admin           ok     own             ask             ask             get             get             kind            kind            kind            kind
agent           ok     kind            kind            kind            kind            kind            ask             ask             kind            kind
other_agent     ok     kind            kind            kind            kind            kind            wrong_agent     ask             kind            kind
other_rig       ok     kind            kind            kind            kind            kind            wrong_rig       wrong_rig       kind            kind
other_town      ok     kind            kind            kind            kind            kind            wrong_town      wrong_town      kind            kind
mayor           ok     kind            kind            kind            kind            kind            wrong_rig       kind            ask             kind
other_mayor     ok     kind            kind            kind            kind            kind            wrong_town      kind            wrong_town      kind
runtime         ok     kind            kind            kind            kind            kind            ask             ask             kind            ask
other_runtime   ok     kind            kind            kind            kind            kind            wrong_town      wrong_town      kind            wrong_town
";

#[test]
fn every_row_decides_every_caller_as_its_levels_say() {
    let mut lines = CELLS.trim_matches('\n').lines();
    let levels: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(levels, Level::ALL.iter().map(|level| level.as_str()).collect::<Vec<_>>());
    let mut tried = 0;
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        for route in ROUTES {
            let expected = expected(route, words[0], &words[1..]);
            let found = word(admit(&caller(words[0]), &route.access, &scope(route)));
            assert_eq!(found, expected, "{} {} by {}", route.method.as_str(), route.path, words[0]);
            tried += 1;
        }
    }
    assert_eq!(tried, ROUTES.len() * 14);
}

#[test]
fn the_mayor_is_the_agent_of_its_own_path_only() {
    for route in ROUTES.iter().filter(|route| route.access.any_of.contains(&Level::Agent)) {
        let own = Scope { rig_id: Some(RigRef::Mayor(TOWN)), agent_id: Some(MAYOR), ..scope(route) };
        assert_eq!(word(admit(&caller("mayor"), &route.access, &own)), "ask", "{}", route.path);
    }
}

#[test]
fn what_an_ended_session_may_repeat_is_what_ends_one() {
    let again: Vec<&str> = ROUTES.iter().filter(|route| route.may_be_over).map(|route| route.operation).collect();
    assert_eq!(again, ["agents::done", "agents::verdict", "agents::request_changes"]);
    let idle: Vec<&str> = ROUTES.iter().filter(|route| route.may_be_idle).map(|route| route.operation).collect();
    assert_eq!(idle, ["hands::hook", "hands::unhook"]);
    let late: Vec<&str> = ROUTES.iter().filter(|route| route.may_be_late).map(|route| route.operation).collect();
    assert_eq!(late, ["runtime::refresh_token"]);
}

/// Any one of the levels is enough; else the refusal of the level that is for such a caller.
fn expected<'a>(route: &Route, name: &str, row: &[&'a str]) -> &'a str {
    let is_read = route.method == Method::Get;
    let cells: Vec<&str> = route
        .access
        .any_of
        .iter()
        .map(|level| cell(route, name, row[Level::ALL.iter().position(|known| known == level).unwrap()], is_read))
        .collect();
    let opens = cells.iter().find(|cell| ["ok", "ask"].contains(cell));
    let refusal = cells.iter().find(|cell| **cell != "credential_not_accepted");
    opens.or(refusal).copied().unwrap_or("credential_not_accepted")
}

fn cell<'a>(route: &Route, name: &str, cell: &'a str, is_read: bool) -> &'a str {
    let is_others = route.path.contains("{userId}");
    let names_town = cell == "ask" && ["user", "member", "billing_manager", "owner", "admin"].contains(&name);
    match cell {
        "kind" => "credential_not_accepted",
        // The catalogue of models names no town: a mayor reads it as its own town's.
        "wrong_town" if !route.path.contains("{townId}") => "ask",
        "get" if is_read => "ok",
        "get" => "admin_read_only",
        "own" | "ask" if is_others && (cell == "own" || names_town) => match (name, is_read) {
            ("admin", true) if cell == "own" => "ok",
            ("admin", true) => "ask",
            ("admin", false) => "admin_read_only",
            _ => "wrong_account",
        },
        "own" => "ok",
        other => other,
    }
}

fn word(answer: Result<Admission, Denial>) -> String {
    match answer {
        Ok(Admission::Granted) => "ok".to_owned(),
        Ok(Admission::AskTown(_) | Admission::AskRig | Admission::AskMayor | Admission::AskRuntime) => "ask".to_owned(),
        Err(denial) => denial.to_string(),
    }
}

/// What the row's path names: things of this town, and somebody else's account.
fn scope(route: &Route) -> Scope {
    let names = |part: &str| route.path.contains(part);
    Scope {
        is_read: route.method == Method::Get,
        user_id: names("{userId}").then(|| "somebody".to_owned()),
        org_id: names("{orgId}").then(|| "acme".to_owned()),
        town_id: names("{townId}").then_some(TOWN),
        rig_id: names("{rigId}").then_some(RigRef::Rig(RIG)),
        agent_id: names("{agentId}").then_some(AGENT),
    }
}

fn caller(name: &str) -> Caller {
    let person = |role: Option<OrgRole>| {
        Caller::User(UserCaller {
            user_id: "ann".to_owned(),
            name: None,
            email: None,
            is_admin: name == "admin",
            orgs: role.map(|role| Membership { org_id: "acme".to_owned(), role }).into_iter().collect(),
            generation: None,
            session_id: None,
            signed_in_at: None,
            expires_at: Timestamp::from_ms(0),
        })
    };
    let other = |this: &str, id: u128| if name == this { OTHER } else { id };
    match name {
        "none" => Caller::Anonymous,
        "user" | "admin" => person(None),
        "member" => person(Some(OrgRole::Member)),
        "billing_manager" => person(Some(OrgRole::BillingManager)),
        "owner" => person(Some(OrgRole::Owner)),
        "agent" | "other_agent" | "other_rig" | "other_town" => Caller::Agent(AgentCaller {
            town_id: TownId::from_u128(other("other_town", 1)),
            rig_id: RigId::from_u128(other("other_rig", 2)),
            agent_id: AgentId::from_u128(other("other_agent", 3)),
            session: AgentSession::Named { assignment_id: AssignmentId::from_u128(5), epoch: 1, role: Role::Polecat },
            generation: Some(1),
        }),
        "mayor" | "other_mayor" => Caller::Mayor(MayorCaller {
            town_id: TownId::from_u128(other("other_mayor", 1)),
            agent_id: MAYOR,
            epoch: 1,
            generation: 1,
        }),
        "runtime" | "other_runtime" => Caller::Runtime(RuntimeCaller {
            town_id: TownId::from_u128(other("other_runtime", 1)),
            instance_id: InstanceId::from_u128(6),
            generation: 1,
            expires_at: Timestamp::from_ms(0),
        }),
        other => panic!("nobody is called {other}"),
    }
}
