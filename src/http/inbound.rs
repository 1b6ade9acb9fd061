//! One admitted request as its handler sees it: who calls, which ids the path names, what the body says.

use futures::future::{Either, join_all, select};
use gastown_core::access::{Caller, TownRole, UserCaller};
use gastown_core::id::{AgentId, BeadId, RigId, RigRef, TownId};
use gastown_core::limits::RIG_LIST_WAIT;
use gastown_core::wire::api::read::{Request, read};
use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::{Warning, WarningCode};
use worker::{Env, Stub};

use super::Head;
use super::query::Query;
use crate::call::{Asked, Call, ask};
use crate::env::{Object, Settings, stub};
use crate::error::{Error, Fault, Refusal, Result};
use crate::requests::{Idempotency, digest};
use crate::routes::Route;
use crate::town::calls::ListRigs;

/// A request that may go on.
pub struct Inbound {
    /// Bindings.
    pub env: Env,
    /// The deployment.
    pub settings: &'static Settings,
    /// Its row.
    pub route: &'static Route,
    /// Who calls.
    pub caller: Caller,
    /// What the caller is to the town of the path, when it is a person.
    pub town_role: Option<TownRole>,
    /// Ids of the path.
    pub params: Params,
    /// Query string.
    pub query: Query,
    /// Headers that handlers read.
    pub headers: Headers,
    /// Body.
    pub body: Vec<u8>,
    /// What was known before.
    pub head: Head,
}

/// Headers that handlers read.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    /// `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// `If-Match`.
    pub if_match: Option<String>,
    /// `Last-Event-ID`.
    pub last_event_id: Option<String>,
}

impl Headers {
    /// Takes them from a request.
    pub fn of(request: &worker::Request) -> Self {
        let header = |name: &str| request.headers().get(name).ok().flatten();
        Self {
            idempotency_key: header("idempotency-key"),
            if_match: header("if-match"),
            last_event_id: header("last-event-id"),
        }
    }
}

/// The parts of a path that its row names, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(&'static str, String)>);

impl Params {
    /// Names and values in the order of the path.
    pub fn new(pairs: Vec<(&'static str, String)>) -> Self {
        Self(pairs)
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }

    /// The same with this value under this name.
    pub fn with(mut self, name: &'static str, value: String) -> Self {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value));
        self
    }

    /// An id; what is no id names nothing (404).
    pub fn id<T: std::str::FromStr>(&self, name: &str, kind: &str) -> Result<T> {
        self.get(name).and_then(|text| text.parse().ok()).ok_or_else(|| Refusal::not_found(kind).into())
    }
}

impl Inbound {
    /// `:townId`.
    pub fn town_id(&self) -> Result<TownId> {
        self.params.id("townId", "town")
    }

    /// `:rigId`.
    pub fn rig_id(&self) -> Result<RigId> {
        self.params.id("rigId", "rig")
    }

    /// `:rigId`, or the mayor's literal.
    pub fn rig_ref(&self) -> Result<RigRef> {
        self.params.id("rigId", "rig")
    }

    /// `:agentId`.
    pub fn agent_id(&self) -> Result<AgentId> {
        self.params.id("agentId", "agent")
    }

    /// `:beadId`.
    pub fn bead_id(&self) -> Result<BeadId> {
        self.params.id("beadId", "bead")
    }

    /// The body as this request.
    pub fn read<T: Request>(&self) -> Result<T> {
        Ok(read(&self.body)?)
    }

    /// The person who calls.
    pub fn user(&self) -> Result<&UserCaller> {
        match &self.caller {
            Caller::User(user) => Ok(user),
            Caller::Anonymous | Caller::Agent(_) | Caller::Mayor(_) | Caller::Runtime(_) => {
                Err(Refusal::new(Code::CredentialNotAccepted, "This route is for people").into())
            }
        }
    }

    /// An object by name.
    pub fn object(&self, object: Object, name: &str) -> Result<Stub> {
        stub(&self.env, object, name)
    }

    /// Asks the town of the path.
    pub fn ask_town<C: Call>(&self, call: &C) -> Asked<C::Reply> {
        ask(self.of_town(Object::Town), call, &self.head.request_id)
    }

    /// Asks a rig. That it belongs to the town of the path is the rig's own check.
    pub fn ask_rig<C: Call>(&self, rig_id: RigId, call: &C) -> Asked<C::Reply> {
        self.ask(Object::Rig, &rig_id.to_string(), call)
    }

    /// Asks the runtime of the town of the path.
    pub fn ask_container<C: Call>(&self, call: &C) -> Asked<C::Reply> {
        ask(self.of_town(Object::TownContainer), call, &self.head.request_id)
    }

    /// Asks any object.
    pub fn ask<C: Call>(&self, object: Object, name: &str, call: &C) -> Asked<C::Reply> {
        ask(self.object(object, name), call, &self.head.request_id)
    }

    /// An object of the town of the path.
    fn of_town(&self, object: Object) -> Result<Stub> {
        self.object(object, &self.town_id()?.to_string())
    }

    /// Who acts, as rows name it: a user's id, an agent's, `mayor` or `runtime`.
    pub fn actor(&self) -> String {
        match &self.caller {
            Caller::User(user) => user.user_id.clone(),
            Caller::Agent(agent) => agent.agent_id.to_string(),
            Caller::Mayor(_) => "mayor".to_owned(),
            Caller::Runtime(_) => "runtime".to_owned(),
            Caller::Anonymous => "nobody".to_owned(),
        }
    }

    /// Asks these rigs side by side, each for a bounded time (api.md 1.4). One that does not answer is left out and named
    /// in a warning; one that is gone is left out.
    pub async fn ask_rigs<C: Call>(&self, rig_ids: &[RigId], call: &C) -> (Vec<(RigId, C::Reply)>, Vec<Warning>) {
        let asked = rig_ids.iter().map(|&rig_id| async move { (rig_id, in_time(self.ask_rig(rig_id, call)).await) });
        let (mut answers, mut warnings) = (Vec::new(), Vec::new());
        for (rig_id, answer) in join_all(asked).await {
            match answer {
                Some(Ok(answer)) => answers.push((rig_id, answer)),
                Some(Err(Error::Refusal(refusal))) if refusal.code == Code::NotFound => (),
                Some(Err(_)) | None => warnings.push(partial(rig_id)),
            }
        }
        (answers, warnings)
    }

    /// The ids of the town's rigs.
    pub async fn rig_ids(&self) -> Result<Vec<RigId>> {
        Ok(self.ask_town(&ListRigs {}).await?.into_iter().map(|rig| rig.id).collect())
    }

    /// The key under which this request's reply is kept (api.md 1.6): subject, method and path are part of it.
    pub fn idempotency(&self) -> Result<Option<Idempotency>> {
        let Some(key) = &self.headers.idempotency_key else { return Ok(None) };
        if !self.route.is_idempotent {
            return Ok(None);
        }
        if key.is_empty() || key.len() > 128 || !key.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            let message = "Idempotency-Key must be 1 to 128 printable ASCII characters";
            return Err(Refusal::new(Code::InvalidRequest, message).into());
        }
        let subject = subject(&self.caller).ok_or_else(|| Fault::new("scope an idempotency key", "no subject"))?;
        Ok(Some(Idempotency {
            key: format!("{subject} {} {} {key}", self.head.method, self.head.path),
            body_digest: format!("{:032x}", digest(&self.body)),
        }))
    }
}

/// The answer, unless it takes too long for a list.
async fn in_time<T>(asked: Asked<T>) -> Option<Result<T>>
where
    Asked<T>: Future<Output = Result<T>>,
{
    let patience = std::pin::pin!(worker::Delay::from(RIG_LIST_WAIT));
    match select(asked, patience).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}

fn partial(rig_id: RigId) -> Warning {
    Warning { code: WarningCode::Partial, message: format!("Rig {rig_id} did not answer"), path: None }
}

fn subject(caller: &Caller) -> Option<String> {
    match caller {
        Caller::Anonymous => None,
        Caller::User(user) => Some(format!("user:{}", user.user_id)),
        Caller::Agent(agent) => Some(format!("agent:{}", agent.agent_id)),
        Caller::Mayor(mayor) => Some(format!("mayor:{}", mayor.agent_id)),
        Caller::Runtime(runtime) => Some(format!("runtime:{}", runtime.town_id)),
    }
}
