//! Which models there are, and which one would be used (api.md 3.1, 3.7; models.md).

use gastown_core::rig::bead::BeadType;
use gastown_core::wire::api::model::{self, ResolveModel};
use gastown_core::wire::code::Code;
use serde_json::{Value, json};

use super::inbound::Inbound;
use super::reply::Reply;
use crate::catalogue::catalogue;
use crate::error::{Refusal, Result};
use crate::rig::calls::ExplainBead;
use crate::town::calls;

/// GET `/api/model-profiles`
pub async fn profiles(_: Inbound) -> Result<Reply> {
    Reply::ok(&model::catalogue(catalogue()?))
}

/// GET `/api/models`
pub async fn suggestions(_: Inbound) -> Result<Reply> {
    Reply::ok(&model::suggestions(catalogue()?))
}

/// POST `T/models/resolve`: the answer of dispatch, for a bead or for work that is none yet.
pub async fn resolve(inbound: Inbound) -> Result<Reply> {
    let asked: ResolveModel = inbound.read()?;
    let Some(bead_id) = asked.bead_id else {
        let role = asked.role.unwrap_or_default();
        let call = question(role, asked.labels, asked.rig_id, asked.model, asked.draft);
        return answer(&inbound, &call, Value::Null, Value::Null).await;
    };
    let inbound = Inbound { params: inbound.params.clone().with("beadId", bead_id.to_string()), ..inbound };
    let (rig_id, bead) = super::beads::find(&inbound).await?;
    let role = match bead.kind.parse::<BeadType>() {
        Ok(BeadType::Issue) => "polecat",
        Ok(BeadType::MergeRequest) => "refinery",
        Ok(BeadType::Molecule) | Err(_) => {
            return Err(Refusal::new(Code::NotDispatchable, "No agent works on this").into());
        }
    };
    let explained = inbound.ask_rig(rig_id, &ExplainBead { town_id: inbound.town_id()?, bead_id }).await?;
    let (running, last) = super::beads::used_models(&explained);
    let labels = bead.labels.iter().cloned().collect();
    let call = question(role.to_owned(), labels, Some(rig_id), bead.requested_model, asked.draft);
    answer(&inbound, &call, running, last).await
}

fn question(
    role: String,
    labels: Vec<String>,
    rig_id: Option<gastown_core::id::RigId>,
    model: Option<String>,
    draft: Option<Value>,
) -> calls::ResolveModel {
    calls::ResolveModel { role, labels, rig_id, model, draft }
}

async fn answer(inbound: &Inbound, call: &calls::ResolveModel, running: Value, last: Value) -> Result<Reply> {
    let resolved = inbound.ask_town(call).await?;
    let mut data = json!(resolved.resolution);
    data["config_version"] = json!(resolved.config_version);
    data["running"] = running;
    data["last"] = last;
    Reply::ok(&data)
}
