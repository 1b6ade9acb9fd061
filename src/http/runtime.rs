//! What the runtime calls (api.md 3.11). Bodies are `core::wire::report`; the keeper of the town's runtime handles them.

use gastown_core::access::Caller;
use gastown_core::id::InstanceId;
use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::{Issue, IssueCode};
use gastown_core::wire::report::{
    AgentTokens, EventBatches, Facts, GitCredentials as GitReply, GitCredentialsRequest, Heartbeat,
    LlmCredentials as LlmReply, Outcomes, Register,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::inbound::Inbound;
use super::reply::Reply;
use crate::ambient::wall_now;
use crate::error::{Refusal, Result};
use crate::town::calls::{GitCredentials, GitKey, InstanceEvicted, InstanceReady, LlmCredentials, LlmKey, ShowMayor};
use crate::town_container::calls::{
    RefreshToken, RenewTokens, RuntimeBeats, RuntimeEnds, RuntimeRegisters, RuntimeReports, RuntimeShows,
};

/// Items of one batch.
const FACTS_MAX: usize = 200;
/// Items of one batch.
const OUTCOMES_MAX: usize = 100;

/// POST `T/runtime/register`
pub async fn register(inbound: Inbound) -> Result<Reply> {
    let register: Register = body(&inbound)?;
    same_instance(&inbound, register.instance_id)?;
    Reply::passing(200, inbound.ask_container(&RuntimeRegisters { register }).text()).await
}

/// POST `T/runtime/facts`
pub async fn facts(inbound: Inbound) -> Result<Reply> {
    let facts: Facts = body(&inbound)?;
    same_instance(&inbound, facts.instance_id)?;
    at_most("facts", facts.facts.len(), FACTS_MAX)?;
    Reply::passing(200, inbound.ask_container(&RuntimeReports { facts }).text()).await
}

/// POST `T/runtime/heartbeat`
pub async fn heartbeat(inbound: Inbound) -> Result<Reply> {
    let heartbeat: Heartbeat = body(&inbound)?;
    same_instance(&inbound, heartbeat.instance_id)?;
    Reply::passing(200, inbound.ask_container(&RuntimeBeats { heartbeat }).text()).await
}

/// POST `T/runtime/outcomes`
pub async fn outcomes(inbound: Inbound) -> Result<Reply> {
    let outcomes: Outcomes = body(&inbound)?;
    same_instance(&inbound, outcomes.instance_id)?;
    at_most("outcomes", outcomes.outcomes.len(), OUTCOMES_MAX)?;
    Reply::passing(200, inbound.ask_container(&RuntimeEnds { outcomes }).text()).await
}

/// POST `T/runtime/events`
pub async fn events(inbound: Inbound) -> Result<Reply> {
    let events: EventBatches = body(&inbound)?;
    same_instance(&inbound, events.instance_id)?;
    Reply::passing(200, inbound.ask_container(&RuntimeShows { events }).text()).await
}

/// POST `T/runtime/agent-tokens`
pub async fn agent_tokens(inbound: Inbound) -> Result<Reply> {
    let asked: AgentTokens = body(&inbound)?;
    let tokens = inbound.ask_container(&RenewTokens { sessions: asked.assignments }).await?;
    Ok(Reply::ok(&tokens)?.no_store())
}

/// POST `T/runtime/git-credentials`
pub async fn git_credentials(inbound: Inbound) -> Result<Reply> {
    let asked: GitCredentialsRequest = body(&inbound)?;
    match inbound.ask_town(&GitCredentials { rig_id: asked.rig_id, host: asked.host }).await? {
        GitKey::Found { username, password } => {
            Ok(Reply::ok(&GitReply { username, password, expires_at: None })?.no_store())
        }
        GitKey::OtherHost => Err(Refusal::new(Code::HostNotAllowed, "The rig's remote is at another host").into()),
        GitKey::None => Err(Refusal::new(Code::NoCredentials, "The town has no credentials for this host").into()),
    }
}

/// POST `T/runtime/llm-credentials`: the town's own, else the deployment's.
pub async fn llm_credentials(inbound: Inbound) -> Result<Reply> {
    let own = inbound.ask_town(&LlmCredentials {}).await?.unwrap_or(LlmKey { base_url: None, api_key: None });
    let settings = inbound.settings;
    // A town's endpoint never sees the deployment's key.
    let api_key = match (&own.base_url, own.api_key) {
        (_, Some(key)) => Some(key),
        (Some(_), None) => None,
        (None, None) => settings.llm_api_key.clone(),
    };
    match (own.base_url.or_else(|| settings.llm_base_url.clone()), api_key) {
        (Some(base_url), Some(api_key)) => {
            let reply = LlmReply { base_url, api_key, organization_id: None, expires_at: None };
            Ok(Reply::ok(&reply)?.no_store())
        }
        (_, _) => Err(Refusal::new(Code::NoCredentials, "The town has no model endpoint and key").into()),
    }
}

/// POST `T/refresh-container-token`
pub async fn refresh_token(inbound: Inbound) -> Result<Reply> {
    let Caller::Runtime(runtime) = &inbound.caller else {
        return Err(Refusal::new(Code::CredentialNotAccepted, "This route is for the runtime").into());
    };
    let was_late = runtime.expires_at < wall_now();
    let call = RefreshToken { instance_id: runtime.instance_id, was_late };
    Ok(Reply::passing(200, inbound.ask_container(&call).text()).await?.no_store())
}

/// POST `T/container-eviction`
pub async fn eviction(inbound: Inbound) -> Result<Reply> {
    let instance_id = instance(&inbound)?;
    let word = inbound.ask_town(&InstanceEvicted { instance_id }).await?;
    Reply::ok(&json!({ "acknowledged": true, "drainNonce": word.drain_nonce }))
}

/// A new runtime says that the drain of the one before it may end.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ready {
    nonce: String,
    #[serde(default)]
    instance_id: Option<InstanceId>,
}

/// POST `T/container-ready`
pub async fn ready(inbound: Inbound) -> Result<Reply> {
    let asked: Ready = body(&inbound)?;
    let instance_id = asked.instance_id.map_or_else(|| instance(&inbound), Ok)?;
    let cleared = inbound.ask_town(&InstanceReady { instance_id, nonce: asked.nonce }).await?;
    Reply::ok(&json!({ "cleared": cleared }))
}

/// GET `T/mayor-id`: its fields stand beside `success`.
pub async fn mayor_id(inbound: Inbound) -> Result<Reply> {
    let mayor = inbound.ask_town(&ShowMayor {}).await?;
    Reply::bare(
        200,
        &json!({
            "success": true,
            "agentId": mayor.agent.get("id"),
            "model": mayor.resolution.model,
            "smallModel": mayor.resolution.small_model,
        }),
    )
}

/// A body of the wire between runtime and Worker. The runtime is built from the same types, so what cannot be read is
/// another version's, and one sentence says where.
fn body<T: DeserializeOwned>(inbound: &Inbound) -> Result<T> {
    let value = gastown_core::wire::api::read::parse(&inbound.body)?;
    gastown_core::json::from_value(&value).map_err(|error| {
        let issue = Issue { code: IssueCode::Custom, path: Vec::new(), message: error.to_string() };
        let refusal = Refusal::new(Code::InvalidRequest, format!("The report cannot be read: {error}"));
        Refusal { issues: vec![issue], ..refusal }.into()
    })
}

fn instance(inbound: &Inbound) -> Result<InstanceId> {
    match &inbound.caller {
        Caller::Runtime(runtime) => Ok(runtime.instance_id),
        Caller::Anonymous | Caller::User(_) | Caller::Agent(_) | Caller::Mayor(_) => {
            Err(Refusal::new(Code::CredentialNotAccepted, "This route is for the runtime").into())
        }
    }
}

fn same_instance(inbound: &Inbound, named: InstanceId) -> Result<()> {
    match instance(inbound)? == named {
        true => Ok(()),
        false => Err(Refusal::new(Code::InstanceSuperseded, "The token is another instance's").into()),
    }
}

fn at_most(field: &str, count: usize, max: usize) -> Result<()> {
    if count <= max {
        return Ok(());
    }
    let issue =
        Issue { code: IssueCode::TooBig, path: vec![field.to_owned()], message: format!("at most {max} items") };
    Err(Refusal { issues: vec![issue], ..Refusal::new(Code::InvalidRequest, "The batch is too long") }.into())
}
