//! Convoys, for people and the mayor (api.md 3.4, 3.12): the Town decides, this only reads and words.

use gastown_core::id::ConvoyId;
use gastown_core::wire::api::convoy::{
    AddToConvoy as AddBody, Convoy, CreateConvoy as CreateBody, DecideConvoy as DecideBody, NameBead, NewConvoy,
    PatchConvoy as PatchBody, SlingBatch,
};
use gastown_core::wire::api::sling::{SlingPlan, SlingResult};
use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::{Issue, IssueCode, Warning, WarningCode};
use serde_json::json;

use super::cursor;
use super::inbound::Inbound;
use super::reply::Reply;
use super::towns::if_version;
use crate::error::{Error, Refusal, Result};
use crate::requests::Kept;
use crate::town::calls::{
    AddToConvoy, CreateConvoy, DecideConvoy, Decision, ListConvoys, PatchConvoy, RemoveFromConvoy, ShowConvoy,
    SlungTasks,
};

/// States that a list may be narrowed to (api.md 4, **Convoy**).
const STATES: [&str; 6] = ["staged", "active", "needs_attention", "landing", "landed", "aborted"];

/// GET `T/convoys`
pub async fn list(inbound: Inbound) -> Result<Reply> {
    let found = listed(&inbound).await?;
    page(&inbound, found)
}

/// GET `M/convoys`
pub async fn list_for_mayor(inbound: Inbound) -> Result<Reply> {
    let convoys: Vec<Convoy> = listed(&inbound).await?.into_iter().map(Convoy::summary).collect();
    page(&inbound, convoys)
}

fn page(inbound: &Inbound, found: Vec<Convoy>) -> Result<Reply> {
    let place = |convoy: &Convoy| (convoy.created_at, convoy.id.as_u128());
    match cursor::counts(inbound) {
        true => cursor::page_of_all(inbound, found, place, Vec::new()),
        false => cursor::page(inbound, found, place, None, Vec::new()),
    }
}

/// What the page could need; all of them where they are counted.
async fn listed(inbound: &Inbound) -> Result<Vec<Convoy>> {
    let (limit, after) = match (cursor::counts(inbound), cursor::of(inbound)?) {
        (true, _) => (u32::MAX, None),
        (false, after) => (cursor::wanted(inbound)?, after.map(|(at, id)| (at, ConvoyId::from_u128(id)))),
    };
    let states: Vec<String> = inbound.query.many("state")?;
    if let Some(unknown) = states.iter().find(|state| !STATES.contains(&state.as_str())) {
        let message = format!("{unknown} is none of {}", STATES.join(", "));
        let issue = Issue { code: IssueCode::InvalidEnum, path: vec!["state".to_owned()], message };
        let refusal = Refusal::new(Code::InvalidRequest, "The query is not valid: state");
        return Err(Refusal { issues: vec![issue], ..refusal }.into());
    }
    inbound.ask_town(&ListConvoys { states, after, limit }).await
}

/// POST `T/convoys`
pub async fn create(inbound: Inbound) -> Result<Reply> {
    let CreateBody(new) = inbound.read()?;
    let Kept { reply, is_replay } = made(&inbound, new, false).await.map_err(unknown_rig)?;
    Ok(Reply::with_warnings(201, &reply.convoy, warnings(reply.warnings))?.replayed(is_replay))
}

/// POST `T/sling` with a convoy.
pub(super) async fn sling(inbound: &Inbound, plan: SlingPlan, convoy: NewConvoy) -> Result<Reply> {
    let tasks = plan.tasks.into_iter().map(Into::into).collect();
    let new = NewConvoy { tasks, is_parallel: plan.is_parallel, ..convoy };
    let Kept { reply, is_replay } = made(inbound, new, false).await.map_err(unknown_rig)?;
    let result = SlingResult { beads: reply.beads, convoy: Some(reply.convoy) };
    let ignored = plan.ignored.into_iter().chain(reply.warnings).collect();
    Ok(Reply::with_warnings(201, &result, warnings(ignored))?.replayed(is_replay))
}

/// POST `M/sling-batch`
pub async fn sling_batch(inbound: Inbound) -> Result<Reply> {
    let SlingBatch { convoy, allows_duplicate } = inbound.read()?;
    let Kept { reply, is_replay } = made(&inbound, convoy, !allows_duplicate).await?;
    let data = json!({ "convoy": reply.convoy, "beads": reply.beads });
    Ok(Reply::with_warnings(201, &data, warnings(reply.warnings))?.replayed(is_replay))
}

async fn made(
    inbound: &Inbound,
    new: NewConvoy,
    refuses_repeat: bool,
) -> Result<Kept<gastown_core::wire::api::convoy::SlungConvoy>> {
    let idempotency = inbound.idempotency()?;
    // A repeat that carries a key is known by it; one without is known by what it says.
    let refuses_repeat = refuses_repeat && idempotency.is_none();
    inbound.ask_town(&CreateConvoy { new, actor: inbound.actor(), refuses_repeat, idempotency }).await
}

/// People name rigs in bodies: what is not there is an unknown reference, not a missing page.
fn unknown_rig(error: Error) -> Error {
    match error {
        Error::Refusal(refusal) if refusal.code == Code::NotFound => {
            Refusal { code: Code::UnknownRig, message: "The town has no such rig".to_owned(), ..*refusal }.into()
        }
        other @ (Error::Refusal(_) | Error::Fault(_)) => other,
    }
}

/// What was ignored, as warnings.
pub(super) fn warnings(ignored: Vec<String>) -> Vec<Warning> {
    let warning = |message| Warning { code: WarningCode::IgnoredField, message, path: Some("tasks".to_owned()) };
    ignored.into_iter().map(warning).collect()
}

/// GET `T/convoys/:c` and `M/convoys/:c`
pub async fn show(inbound: Inbound) -> Result<Reply> {
    let convoy = inbound.ask_town(&ShowConvoy { convoy_id: convoy_id(&inbound)? }).await?;
    Ok(Reply::ok(&convoy)?.version(convoy.version))
}

/// PATCH `T/convoys/:c`
pub async fn patch(inbound: Inbound) -> Result<Reply> {
    Reply::ok(&patched(&inbound).await?)
}

/// PATCH `M/convoys/:c`
pub async fn patch_for_mayor(inbound: Inbound) -> Result<Reply> {
    Reply::ok(&patched(&inbound).await?.summary())
}

async fn patched(inbound: &Inbound) -> Result<Convoy> {
    let patch: PatchBody = inbound.read()?;
    let call = PatchConvoy { convoy_id: convoy_id(inbound)?, patch, if_version: if_version(inbound)? };
    inbound.ask_town(&call).await
}

/// POST `T/convoys/:c/start`
pub async fn start(inbound: Inbound) -> Result<Reply> {
    decided(&inbound, Decision::Start).await
}

/// POST `M/convoys/:c/start`: the mayor sees who has what.
pub async fn start_for_mayor(inbound: Inbound) -> Result<Reply> {
    let convoy = inbound.ask_town(&decision(&inbound, Decision::Start)?).await?;
    let beads = inbound.ask_town(&SlungTasks { convoy_id: convoy.id }).await?;
    Reply::ok(&json!({ "convoy": convoy, "beads": beads }))
}

/// POST `…/retry`
pub async fn retry(inbound: Inbound) -> Result<Reply> {
    decided(&inbound, Decision::Retry).await
}

/// POST `…/skip`
pub async fn skip(inbound: Inbound) -> Result<Reply> {
    decided(&inbound, Decision::Skip).await
}

/// POST `…/abort`
pub async fn abort(inbound: Inbound) -> Result<Reply> {
    decided(&inbound, Decision::Abort).await
}

/// POST `…/close`
pub async fn close(inbound: Inbound) -> Result<Reply> {
    decided(&inbound, Decision::Close).await
}

async fn decided(inbound: &Inbound, what: Decision) -> Result<Reply> {
    Reply::passing(200, inbound.ask_town(&decision(inbound, what)?).text()).await
}

fn decision(inbound: &Inbound, decision: Decision) -> Result<DecideConvoy> {
    let DecideBody { bead_ids, reason } = inbound.read()?;
    Ok(DecideConvoy { convoy_id: convoy_id(inbound)?, decision, bead_ids, reason, actor: inbound.actor() })
}

/// POST `T/convoys/:c/beads` and `M/convoys/:c/add-bead`
pub async fn add(inbound: Inbound) -> Result<Reply> {
    let AddBody { bead_id, task, depends_on } = inbound.read()?;
    let call = AddToConvoy { convoy_id: convoy_id(&inbound)?, bead_id, task, depends_on };
    Reply::ok(&json!({ "total_beads": inbound.ask_town(&call).await? }))
}

/// DELETE `T/convoys/:c/beads/:b`
pub async fn remove(inbound: Inbound) -> Result<Reply> {
    let bead_id = inbound.bead_id()?;
    removed(&inbound, bead_id).await
}

/// POST `M/convoys/:c/remove-bead`
pub async fn remove_named(inbound: Inbound) -> Result<Reply> {
    let NameBead { bead_id, .. } = inbound.read()?;
    removed(&inbound, bead_id).await
}

async fn removed(inbound: &Inbound, bead_id: gastown_core::id::BeadId) -> Result<Reply> {
    let call = RemoveFromConvoy { convoy_id: convoy_id(inbound)?, bead_id, actor: inbound.actor() };
    Reply::ok(&json!({ "total_beads": inbound.ask_town(&call).await? }))
}

/// POST `T/convoys/bead-closed`: the counts are always right; a client that wants them counted gets them.
pub async fn bead_closed(inbound: Inbound) -> Result<Reply> {
    let NameBead { convoy_id, .. } = inbound.read()?;
    let Some(convoy_id) = convoy_id else {
        let issue =
            Issue { code: IssueCode::Required, path: vec!["convoy_id".to_owned()], message: "is required".to_owned() };
        let refusal = Refusal::new(Code::InvalidRequest, "The request is not valid: convoy_id");
        return Err(Refusal { issues: vec![issue], ..refusal }.into());
    };
    Reply::ok(&inbound.ask_town(&ShowConvoy { convoy_id }).await?.summary())
}

fn convoy_id(inbound: &Inbound) -> Result<ConvoyId> {
    inbound.params.id("convoyId", "convoy")
}
