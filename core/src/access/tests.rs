//! The matrix of api.md 2.2, cell by cell, as one table; and who a token makes its bearer.

use std::time::Duration;

use super::*;
use crate::id::{AssignmentId, InstanceId, RigId};
use crate::time::Timestamp;

const TOWN: TownId = TownId::from_u128(1);
const OTHER_TOWN: TownId = TownId::from_u128(2);
const RIG: RigId = RigId::from_u128(3);
const OTHER_RIG: RigId = RigId::from_u128(4);
const TOAST: AgentId = AgentId::from_u128(5);
const MAPLE: AgentId = AgentId::from_u128(6);
const MAYOR: AgentId = AgentId::from_u128(7);
const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_000);

/// Each row: a credential; each column: a level. `ask` means that stored rows decide.
const MATRIX: &str = "
            Public User                  TownMember            TownOwner             OrgMember             OrgOwner              Agent                 RigAgents             Mayor                 Runtime
none        ok     unauthenticated       unauthenticated       unauthenticated       unauthenticated       unauthenticated       unauthenticated       unauthenticated       unauthenticated       unauthenticated
user        ok     ok                    ask                   ask                   ok                    forbidden             credential_not_accepted credential_not_accepted credential_not_accepted credential_not_accepted
admin       ok     ok                    ask                   ask                   admin_read_only       admin_read_only       credential_not_accepted credential_not_accepted credential_not_accepted credential_not_accepted
agent       ok     credential_not_accepted credential_not_accepted credential_not_accepted credential_not_accepted credential_not_accepted ask               ask                   credential_not_accepted credential_not_accepted
mayor       ok     credential_not_accepted credential_not_accepted credential_not_accepted credential_not_accepted credential_not_accepted wrong_rig         credential_not_accepted ask                   credential_not_accepted
runtime     ok     credential_not_accepted credential_not_accepted credential_not_accepted credential_not_accepted credential_not_accepted ask               ask                   credential_not_accepted ask
";

#[test]
fn every_cell_of_the_matrix() {
    let mut lines = MATRIX.trim_matches('\n').lines();
    let levels: Vec<Level> = lines.next().unwrap().split_whitespace().map(|level| level.parse().unwrap()).collect();
    assert_eq!(levels, Level::ALL);
    for line in lines {
        let mut cells = line.split_whitespace();
        let name = cells.next().unwrap();
        for &level in &levels {
            let access = Access::any(std::slice::from_ref(Box::leak(Box::new(level))));
            let answer = word(admit(&caller(name), &access, &own_path()));
            assert_eq!(Some(answer.as_str()), cells.next(), "{name} at {level}");
        }
    }
}

#[test]
fn a_token_opens_only_its_own_town_rig_and_agent() {
    let agents = Access::any(&[Level::Agent]);
    let rig = Access::any(&[Level::RigAgents]);
    let elsewhere = |change: fn(&mut Scope)| {
        let mut scope = own_path();
        change(&mut scope);
        scope
    };
    let town = elsewhere(|scope| scope.town_id = Some(OTHER_TOWN));
    let other_rig = elsewhere(|scope| scope.rig_id = Some(RigRef::Rig(OTHER_RIG)));
    let other_agent = elsewhere(|scope| scope.agent_id = Some(MAPLE));
    for (access, scope, expected) in [
        (agents, &town, "wrong_town"),
        (agents, &other_rig, "wrong_rig"),
        (agents, &other_agent, "wrong_agent"),
        (rig, &other_rig, "wrong_rig"),
        (rig, &other_agent, "ask"),
    ] {
        assert_eq!(word(admit(&caller("agent"), &access, scope)), expected, "{access:?} {scope:?}");
    }
    assert_eq!(word(admit(&caller("runtime"), &agents, &town)), "wrong_town");
    assert_eq!(word(admit(&caller("runtime"), &agents, &other_agent)), "ask");
    assert_eq!(word(admit(&caller("mayor"), &Access::any(&[Level::Mayor]), &town)), "wrong_town");
    let own = Scope { rig_id: Some(RigRef::Mayor(TOWN)), agent_id: Some(MAYOR), ..own_path() };
    assert_eq!(word(admit(&caller("mayor"), &agents, &own)), "ask");
}

#[test]
fn a_user_path_is_its_own_users() {
    let scope = Scope { user_id: Some("someone".to_owned()), ..own_path() };
    let access = Access::any(&[Level::User]);
    assert_eq!(word(admit(&caller("user"), &access, &scope)), "wrong_account");
    assert_eq!(word(admit(&caller("admin"), &access, &scope)), "admin_read_only");
    let of_town = Access::any(&[Level::TownMember]);
    assert_eq!(word(admit(&caller("user"), &of_town, &scope)), "wrong_account");
    let reading = Scope { is_read: true, ..scope };
    assert_eq!(word(admit(&caller("admin"), &access, &reading)), "ok");
    assert_eq!(word(admit(&caller("admin"), &of_town, &reading)), "ask");
}

#[test]
fn a_town_is_seen_by_its_people_only() {
    let personal = TownOwner { account: Account::User("ann".to_owned()), created_by: "ann".to_owned() };
    let org = TownOwner { account: Account::Org("acme".to_owned()), created_by: "cat".to_owned() };
    let person = |id: &str, role: Option<OrgRole>| UserCaller {
        user_id: id.to_owned(),
        orgs: role.map(|role| Membership { org_id: "acme".to_owned(), role }).into_iter().collect(),
        ..user(false)
    };
    for (who, owner, level, expected) in [
        (person("ann", None), &personal, Level::TownOwner, "owner"),
        (person("bob", None), &personal, Level::TownMember, "not_found"),
        (person("bob", Some(OrgRole::Owner)), &personal, Level::TownMember, "not_found"),
        (person("bob", Some(OrgRole::Member)), &org, Level::TownMember, "member"),
        (person("bob", Some(OrgRole::Member)), &org, Level::TownOwner, "forbidden"),
        (person("bob", Some(OrgRole::Owner)), &org, Level::TownOwner, "owner"),
        (person("cat", Some(OrgRole::Member)), &org, Level::TownOwner, "owner"),
        (person("cat", None), &org, Level::TownMember, "not_found"),
        (person("bob", Some(OrgRole::BillingManager)), &org, Level::TownMember, "not_found"),
    ] {
        let answer = admit_to_town(&who, level, owner, false).map_or_else(|d| d.to_string(), |r| r.to_string());
        assert_eq!(answer, expected, "{who:?} {level}");
    }
    let admin = UserCaller { user_id: "root".to_owned(), ..user(true) };
    assert_eq!(admit_to_town(&admin, Level::TownOwner, &personal, true), Ok(TownRole::Admin));
    assert_eq!(admit_to_town(&admin, Level::TownMember, &personal, false), Err(Denial::AdminReadOnly));
}

#[test]
fn roles_are_checked_where_the_row_names_them() {
    let verdict = Access::for_roles(&[Level::Agent], &[Role::Refinery]);
    assert_eq!(admit_role(Role::Polecat, &verdict), Err(Denial::RoleNotAllowed));
    assert_eq!(admit_role(Role::Refinery, &verdict), Ok(()));
    assert_eq!(admit_role(Role::Polecat, &Access::any(&[Level::Agent])), Ok(()));
}

#[test]
fn both_user_forms_name_the_same_person() {
    let old = serde_json::json!({"version": 3, "kiloUserId": "ann", "apiTokenPepper": "x", "exp": 1_790_000_100});
    let new = serde_json::json!({"sub": "ann", "aud": "gastown:user", "exp": 1_790_000_100});
    let mixed = serde_json::json!({"sub": "ann", "kiloUserId": "ann", "exp": 1_790_000_100});
    for claims in [old, new, mixed] {
        match identified(Signer::People, claims) {
            Ok(Caller::User(user)) => assert_eq!(user.user_id, "ann"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn tokens_that_mean_nothing_are_invalid() {
    let exp = 1_790_000_100;
    for (signer, claims, expected) in [
        (Signer::People, serde_json::json!({"sub": "ann"}), Denial::TokenInvalid),
        (Signer::People, serde_json::json!({"sub": "ann", "exp": 1_789_999_000}), Denial::TokenExpired),
        (Signer::People, serde_json::json!({"sub": "ann", "kiloUserId": "bob", "exp": exp}), Denial::TokenInvalid),
        (Signer::People, serde_json::json!({"sub": "ann", "version": 2, "exp": exp}), Denial::TokenInvalid),
        (Signer::People, serde_json::json!({"sub": "ann", "aud": "gastown:session", "exp": exp}), Denial::TokenInvalid),
        (Signer::People, serde_json::json!({"sub": "", "exp": exp}), Denial::TokenInvalid),
        (Signer::People, serde_json::json!({"sub": "ann", "gastownAccess": false, "exp": exp}), Denial::AccessDisabled),
        (Signer::Gastown, serde_json::json!({"sub": "ann", "exp": exp}), Denial::TokenInvalid),
        (Signer::Gastown, serde_json::json!({"aud": "gastown:runtime", "exp": exp}), Denial::TokenInvalid),
        (Signer::People, serde_json::json!({"aud": "gastown:agent", "exp": exp}), Denial::TokenInvalid),
    ] {
        assert_eq!(identified(signer, claims.clone()), Err(expected), "{claims}");
    }
}

#[test]
fn the_clock_of_a_token_maker_may_be_half_a_minute_off() {
    let claims = |exp: i64| serde_json::json!({"sub": "ann", "exp": exp});
    let now_s = NOW.ms() / 1000;
    assert!(identified(Signer::People, claims(now_s - 29)).is_ok());
    assert_eq!(identified(Signer::People, claims(now_s - 31)), Err(Denial::TokenExpired));
}

#[test]
fn an_agent_token_in_the_short_form_ends_after_eight_hours() {
    let claims = |iat: i64| {
        serde_json::json!({
            "townId": TOWN, "rigId": RIG, "agentId": TOAST, "userId": "ann", "iat": iat, "exp": 1_800_000_000,
        })
    };
    let now_s = NOW.ms() / 1000;
    assert!(matches!(identified(Signer::Gastown, claims(now_s - 7 * 3600)), Ok(Caller::Agent(_))));
    assert_eq!(identified(Signer::Gastown, claims(now_s - 9 * 3600)), Err(Denial::TokenExpired));
}

fn identified(signer: Signer, claims: serde_json::Value) -> Result<Caller, Denial> {
    identify(signer, &serde_json::from_value(claims).unwrap(), NOW, Duration::ZERO)
}

fn word(answer: Result<Admission, Denial>) -> String {
    match answer {
        Ok(Admission::Granted) => "ok".to_owned(),
        Ok(Admission::AskTown(_) | Admission::AskRig | Admission::AskMayor | Admission::AskRuntime) => "ask".to_owned(),
        Err(denial) => denial.to_string(),
    }
}

fn own_path() -> Scope {
    Scope {
        is_read: false,
        user_id: None,
        org_id: Some("acme".to_owned()),
        town_id: Some(TOWN),
        rig_id: Some(RigRef::Rig(RIG)),
        agent_id: Some(TOAST),
    }
}

fn user(is_admin: bool) -> UserCaller {
    UserCaller {
        user_id: "ann".to_owned(),
        name: None,
        email: None,
        is_admin,
        orgs: Vec::new(),
        generation: None,
        session_id: None,
        signed_in_at: None,
        expires_at: NOW,
    }
}

fn caller(name: &str) -> Caller {
    match name {
        "none" => Caller::Anonymous,
        "user" => Caller::User(UserCaller {
            orgs: vec![Membership { org_id: "acme".to_owned(), role: OrgRole::Member }],
            ..user(false)
        }),
        "admin" => Caller::User(user(true)),
        "agent" => Caller::Agent(AgentCaller {
            town_id: TOWN,
            rig_id: RIG,
            agent_id: TOAST,
            session: AgentSession::Named { assignment_id: AssignmentId::from_u128(9), epoch: 4, role: Role::Polecat },
            generation: Some(1),
        }),
        "mayor" => Caller::Mayor(MayorCaller { town_id: TOWN, agent_id: MAYOR, epoch: 1, generation: 1 }),
        "runtime" => Caller::Runtime(RuntimeCaller {
            town_id: TOWN,
            instance_id: InstanceId::from_u128(8),
            generation: 1,
            expires_at: NOW,
        }),
        other => panic!("no caller {other}"),
    }
}
