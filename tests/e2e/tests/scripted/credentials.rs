//! Credentials of every kind (api.md 2.1), and the places that they are tried at: what the ids of a path stand for.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use gastown_e2e::api::{Api, items, text};
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt as _, Claims, Header};
use serde_json::{Value, json};

use crate::runtime::{Order, OrderKind, commit};
use crate::world::{Town, World};

/// An id that nothing has.
pub(crate) const NOTHING: &str = "0f0f0f0f-0000-4000-8000-000000000000";

/// The organisation of the second town.
pub(crate) const ORG: &str = "acme";

/// The person who owns the first town.
pub(crate) const OWNER: &str = "local";

/// Credential generation of a town where nothing was revoked.
const GENERATION: u64 = 1;

/// What the ids of a path stand for.
#[derive(Debug, Clone)]
pub(crate) struct Place(Vec<(&'static str, String)>);

impl Place {
    /// The path of a row, its parts filled in.
    pub(crate) fn path(&self, row: &str) -> String {
        row.split('/').map(|part| self.part(part)).collect::<Vec<_>>().join("/")
    }

    /// The same place with another id under this name.
    pub(crate) fn with(&self, name: &'static str, id: &str) -> Self {
        let mut parts = self.clone();
        parts.0.retain(|(known, _)| *known != name);
        parts.0.push((name, id.to_owned()));
        parts
    }

    /// The id under this name; a part that no test knows yet is an id that nothing has.
    pub(crate) fn id(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or(NOTHING, |(_, id)| id)
    }

    fn part(&self, part: &str) -> String {
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => self.id(name).to_owned(),
            None => part.to_owned(),
        }
    }
}

/// One credential, and where it is tried.
pub(crate) struct Credential {
    /// Its row in the table of expectations.
    pub(crate) name: &'static str,
    /// A client that bears it.
    pub(crate) api: Api,
    /// Where.
    pub(crate) place: Place,
    /// What its queries say besides.
    pub(crate) query: String,
}

/// A town with one of everything, and every kind of credential for it.
pub(crate) struct Cast {
    /// The first town.
    pub(crate) town: Town,
    /// Another one.
    pub(crate) other: Town,
    /// Everything of the first town.
    pub(crate) place: Place,
    /// Everything of the other town.
    pub(crate) elsewhere: Place,
    /// All of them.
    pub(crate) credentials: Vec<Credential>,
}

impl Credential {
    // Looking must not deliver: what is shown would change.
    fn new(name: &'static str, api: Api, place: &Place) -> Self {
        Self { name, api, place: place.clone(), query: "peek=true".to_owned() }
    }
}

/// Makes tokens as the operator of the stack could.
pub(crate) struct Mint<'a>(pub(crate) &'a World);

impl Mint<'_> {
    /// A person's token.
    pub(crate) fn person(&self, claims: Value) -> Result<String> {
        sign(&self.0.secret("USER_JWT_SECRET")?, &claims)
    }

    /// A token of ours.
    pub(crate) fn ours(&self, claims: Value) -> Result<String> {
        sign(&self.0.secret("GASTOWN_JWT_SECRET")?, &claims)
    }

    /// The token of an agent's session, some of its claims changed.
    pub(crate) fn agent(&self, town: &Town, start: &Order, changes: &Value) -> Result<String> {
        let of = &start.body["assignment"];
        let claims = json!({"aud": "gastown:agent", "agentId": of["agent_id"], "rigId": of["rig_id"],
            "townId": town.town_id, "userId": OWNER, "role": start.body["role"], "assignmentId": of["assignment_id"],
            "epoch": of["epoch"], "gen": GENERATION});
        self.ours(changed(claims, changes))
    }

    /// The token of the mayor's session, some of its claims changed.
    pub(crate) fn mayor(&self, town: &Town, start: &Order, changes: &Value) -> Result<String> {
        let of = &start.body["assignment"];
        let claims = json!({"aud": "gastown:mayor", "agentId": of["agent_id"], "rigId": format!("mayor-{}", town.town_id),
            "townId": town.town_id, "userId": OWNER, "role": "mayor", "epoch": of["epoch"], "gen": GENERATION});
        self.ours(changed(claims, changes))
    }

    /// A container token, some of its claims changed.
    pub(crate) fn runtime(&self, town: &Town, changes: &Value) -> Result<String> {
        let claims = json!({"aud": "gastown:runtime", "townId": town.town_id, "userId": OWNER, "scope": "container",
            "instanceId": town.seat.instance_id(), "gen": GENERATION});
        self.ours(changed(claims, changes))
    }

    /// A member of the organisation.
    pub(crate) fn of_org(&self, user: &str, role: &str) -> Result<String> {
        self.person(json!({"sub": user, "orgMemberships": [{"orgId": ORG, "role": role}]}))
    }
}

impl Cast {
    /// Two towns at work, and everybody who may want something there.
    pub(crate) fn new(world: &World) -> Result<Self> {
        let mint = Mint(world);
        let (town, other) = (world.town(2, &json!({}))?, world.town(1, &json!({}))?);
        let ended = town.begin(&town.sling("Is in review")?)?;
        town.seat.done(&ended, &commit('a'))?;
        let refinery = town.begin_review()?;
        let bead_id = town.sling("Is worked on")?;
        let polecat = town.begin(&bead_id)?;
        let colleague = town.begin(&town.sling("Is worked on as well")?)?;
        let in_rig_two =
            town.begin(&town.sling_with(json!({"rig_id": town.rigs[1], "title": "Is in the other rig"}))?)?;
        let mayor = begin_mayor(&town)?;
        let place = place(&town, &polecat, &bead_id)?;

        let elsewhere_bead = other.sling("Is in another town")?;
        let stranger = other.begin(&elsewhere_bead)?;
        let other_mayor = begin_mayor(&other)?;
        let elsewhere = self::place(&other, &stranger, &elsewhere_bead)?;

        let api = world.api()?;
        let mut cast = Self { town, other, place: place.clone(), elsewhere, credentials: Vec::new() };
        let token_of = |start: &Order| start.body["token"].as_str().unwrap_or_default().to_owned();
        let (home, away) = (&cast.town, &cast.other);
        let short = |iat: u64| {
            let of = &polecat.body["assignment"];
            let now = seconds_now();
            mint.ours(json!({"agentId": of["agent_id"], "rigId": of["rig_id"], "townId": home.town_id, "userId": OWNER,
                "iat": iat, "exp": now + 3600}))
        };
        let of_refinery = place.with("agentId", text(&refinery.body["assignment"], "agent_id")?);
        let of_ended = place.with("agentId", text(&ended.body["assignment"], "agent_id")?);
        let of_mayor = place
            .with("rigId", &format!("mayor-{}", home.town_id))
            .with("agentId", text(&mayor.body["assignment"], "agent_id")?);
        let second = org_town(world, &mint)?;
        let late = json!({"iat": seconds_now() - 9 * 3600, "exp": seconds_now() - 3600});
        let bearers: Vec<(&'static str, String, &Place)> = vec![
            ("malformed", "not.a.token".to_owned(), &place),
            ("forged", sign("not-the-secret-of-this-deployment-0123456789", &json!({"sub": OWNER}))?, &place),
            ("wrong_audience", mint.person(json!({"sub": OWNER, "aud": "gastown:agent"}))?, &place),
            ("sign_in_token", mint.person(json!({"sub": OWNER, "aud": "gastown:sign-in", "jti": "x"}))?, &place),
            ("other_version", mint.person(json!({"kiloUserId": OWNER, "version": 2}))?, &place),
            ("expired", mint.person(json!({"sub": OWNER, "iat": 1_000, "exp": 2_000}))?, &place),
            ("disabled", mint.person(json!({"kiloUserId": OWNER, "version": 3, "gastownAccess": false}))?, &place),
            ("owner", mint.person(json!({"sub": OWNER}))?, &place),
            ("owner_old_form", mint.person(json!({"kiloUserId": OWNER, "version": 3}))?, &place),
            ("stranger", mint.person(json!({"sub": "stranger"}))?, &place),
            ("member_elsewhere", mint.of_org("member", "owner")?, &place),
            ("admin", mint.person(json!({"sub": "root", "isAdmin": true}))?, &place),
            ("member", mint.of_org("member", "member")?, &second),
            ("billing_manager", mint.of_org("payer", "billing_manager")?, &second),
            ("org_creator", mint.of_org("creator", "member")?, &second),
            ("org_owner", mint.of_org("boss", "owner")?, &second),
            ("creator_who_left", mint.person(json!({"sub": "creator"}))?, &second),
            ("polecat", token_of(&polecat), &place),
            ("refinery", token_of(&refinery), &of_refinery),
            ("other_agent", token_of(&colleague), &place),
            ("agent_of_other_rig", token_of(&in_rig_two), &place),
            ("agent_of_other_town", token_of(&stranger), &place),
            ("superseded_epoch", mint.agent(home, &polecat, &json!({"epoch": 0}))?, &place),
            ("other_assignment", mint.agent(home, &polecat, &json!({"assignmentId": NOTHING}))?, &place),
            ("ended_assignment", token_of(&ended), &of_ended),
            ("agent_of_old_generation", mint.agent(home, &polecat, &json!({"gen": 0}))?, &place),
            ("expired_agent", mint.agent(home, &polecat, &late)?, &place),
            ("agent_by_peoples_secret", by_people(&mint, home, &polecat)?, &place),
            ("short_form", short(seconds_now() + 600)?, &place),
            ("short_form_of_before", short(seconds_now() - 7 * 3600)?, &place),
            ("runtime", home.seat.token(), &place),
            ("runtime_of_other_town", away.seat.token(), &place),
            ("runtime_of_old_instance", mint.runtime(home, &json!({"instanceId": NOTHING}))?, &place),
            ("runtime_of_old_generation", mint.runtime(home, &json!({"gen": 0}))?, &place),
            ("expired_runtime", mint.runtime(home, &late)?, &place),
            ("mayor", token_of(&mayor), &place),
            ("mayor_at_home", token_of(&mayor), &of_mayor),
            ("mayor_of_old_session", mint.mayor(home, &mayor, &json!({"epoch": 0}))?, &place),
            ("mayor_of_old_generation", mint.mayor(home, &mayor, &json!({"gen": 0}))?, &place),
            ("mayor_of_other_town", token_of(&other_mayor), &place),
        ];
        ensure!(bearers.iter().all(|(_, token, _)| !token.is_empty()), "a token is missing");
        let mut credentials: Vec<Credential> = bearers
            .into_iter()
            .map(|(name, token, place)| Credential::new(name, api.with_token(Some(&token)), place))
            .collect();
        let ticket = home.post("/tickets", &json!({"purpose": "agent_stream", "agent_id": place.id("agentId")}))?;
        let bearer = Credential::new("ticket_for_something_else", api.with_token(None), &place);
        let query = format!("ticket={}", text(&ticket, "ticket")?);
        credentials.push(Credential { query, ..bearer });
        credentials.push(Credential::new("none", api.with_token(None), &place));
        let basic = api.with_token(None).with_header("authorization", "Basic bG9jYWw6bG9jYWw=");
        credentials.push(Credential::new("other_scheme", basic, &place));
        let named = api.with_token(None).with_header("x-gastown-user-id", OWNER).with_header("x-user-id", OWNER);
        credentials.push(Credential::new("identity_headers", named, &place));
        for (name, api) in cookies(world, &api)? {
            credentials.push(Credential::new(name, api, &place));
        }
        cast.credentials = credentials;
        Ok(cast)
    }
}

/// Signs claims by HS256; without an end they are good for an hour.
pub(crate) fn sign(secret: &str, claims: &Value) -> Result<String> {
    let mut claims = claims.clone();
    let now = seconds_now();
    for (name, value) in [("iat", now), ("exp", now + 3600)] {
        if claims.get(name).is_none() {
            claims[name] = json!(value);
        }
    }
    let key = Hs256Key::new(secret.as_bytes());
    Hs256.token(&Header::empty(), &Claims::new(claims), &key).context("could not sign a token")
}

/// Signs somebody in; the client then bears the cookie.
pub(crate) fn signed_in(api: &Api, token: &str) -> Result<Api> {
    let nobody = api.with_token(None);
    let reply = nobody.call("POST", "/api/session", Some(&json!({"token": token}).to_string()))?;
    ensure!(reply.status == 201, "could not sign in: {reply}");
    let cookie = reply.header("set-cookie").and_then(|header| header.split(';').next()).context("no cookie")?;
    Ok(nobody.with_header("cookie", cookie))
}

pub(crate) fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn cookies(world: &World, api: &Api) -> Result<Vec<(&'static str, Api)>> {
    let mint = Mint(world);
    let browser = signed_in(api, &mint.person(json!({"sub": OWNER}))?)?;
    let gone = signed_in(api, &mint.person(json!({"sub": OWNER}))?)?.with_header("origin", api.base_url());
    gone.call("DELETE", "/api/session", None)?.data()?;
    let as_bearer = {
        let claims = json!({"aud": "gastown:session", "sub": OWNER, "sid": "s", "gen": 0});
        api.with_token(Some(&mint.person(claims)?))
    };
    Ok(vec![
        ("session", browser.clone().with_header("origin", api.base_url())),
        ("session_without_origin", browser.clone()),
        ("session_of_foreign_page", browser.with_header("origin", "https://elsewhere.example")),
        ("session_that_was_signed_out", gone),
        ("session_as_bearer", as_bearer),
    ])
}

fn by_people(mint: &Mint<'_>, town: &Town, start: &Order) -> Result<String> {
    let of = &start.body["assignment"];
    mint.person(
        json!({"aud": "gastown:agent", "agentId": of["agent_id"], "rigId": of["rig_id"], "townId": town.town_id,
        "role": "polecat", "assignmentId": of["assignment_id"], "epoch": of["epoch"], "gen": GENERATION, "sub": OWNER}),
    )
}

/// The mayor's session, at work.
pub(crate) fn begin_mayor(town: &Town) -> Result<Order> {
    town.post("/mayor/ensure", &json!({}))?;
    let start = town.seat.next(OrderKind::Start, |body| body["role"] == "mayor")?;
    town.seat.ready(&start)?;
    Ok(start)
}

/// One of everything: an agent at work, its bead, a convoy that waits, and an escalation.
pub(crate) fn place(town: &Town, start: &Order, bead_id: &str) -> Result<Place> {
    let convoy = json!({"title": "Staged", "staged": true, "tasks": [{"rig_id": town.rigs[0], "title": "Waits"}]});
    let convoy = town.post("/convoys", &convoy)?;
    let asked = json!({"title": "Which way?", "body": "Left or right?", "severity": "high"});
    let rig = town.path(&format!("/rigs/{}", town.rigs[0]));
    let escalation = town.seat.agent(start).post(&format!("{rig}/escalations"), &asked)?;
    ensure!(!items(town.get("/escalations")?)?.is_empty(), "the escalation is in the inbox");
    Ok(Place(vec![
        ("townId", town.town_id.clone()),
        ("rigId", town.rigs[0].clone()),
        ("agentId", text(&start.body["assignment"], "agent_id")?.to_owned()),
        ("beadId", bead_id.to_owned()),
        ("convoyId", text(&convoy, "id")?.to_owned()),
        ("escalationId", text(&escalation, "id")?.to_owned()),
        ("userId", OWNER.to_owned()),
        ("orgId", ORG.to_owned()),
    ]))
}

/// The organisation's town, made by one of its members.
fn org_town(world: &World, mint: &Mint<'_>) -> Result<Place> {
    let creator = world.api()?.with_token(Some(&mint.of_org("creator", "member")?));
    let town = creator.post(&format!("/api/orgs/{ORG}/towns"), &json!({"name": "Acme's"}))?;
    let town_id = text(&town, "id")?.to_owned();
    let rig = json!({"name": "rig", "git_url": "https://example.com/acme.git"});
    let rig = creator.post(&format!("/api/towns/{town_id}/rigs"), &rig)?;
    Ok(Place(vec![
        ("townId", town_id),
        ("rigId", text(&rig, "id")?.to_owned()),
        ("userId", OWNER.to_owned()),
        ("orgId", ORG.to_owned()),
    ]))
}

fn changed(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    claims
}
