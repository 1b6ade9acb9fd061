//! What is no work of a rig, but stands among the beads of older clients when its type is asked for: agents, mail, convoys
//! and escalations, each in the shape of a bead (api.md 1.4, 3.3).

use gastown_core::id::{BeadId, RigId};
use gastown_core::rig::bead::BeadStatus;
use gastown_core::time::Timestamp;
use gastown_core::wire::api::bead::{Bead, Record, RecordType};
use gastown_core::wire::api::convoy::Convoy;

use super::cursor::Place;
use super::inbound::Inbound;
use crate::error::Result;
use crate::rig::calls::{ListAgents, ListMail};
use crate::town::calls::{self, EscalationFilter, ListConvoys, ListEscalations};

/// Records of one kind in one list: more than a person looks through.
const RECORDS_MAX: u32 = 2_000;

/// What was found.
#[derive(Default)]
pub struct Records(Vec<Bead>);

impl Records {
    /// How many.
    pub fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Those that stand behind this place.
    pub fn behind(self, after: Option<Place>) -> impl Iterator<Item = Bead> {
        let is_behind = move |bead: &Bead| after.is_none_or(|after| (bead.created_at, bead.bead_id.as_u128()) < after);
        self.0.into_iter().filter(is_behind)
    }
}

/// Records of the types that are named, under the filters that they can have.
pub async fn listed(inbound: &Inbound, types: &[RecordType], rig_ids: &[RigId]) -> Result<Records> {
    let mut found = Vec::new();
    for kind in types {
        match kind {
            RecordType::Issue | RecordType::MergeRequest | RecordType::Molecule => (),
            RecordType::Agent => found.extend(agents(inbound, rig_ids).await?),
            RecordType::Message => found.extend(messages(inbound, rig_ids).await?),
            RecordType::Convoy => found.extend(convoys(inbound).await?),
            RecordType::Escalation => found.extend(escalations(inbound, rig_ids).await?),
        }
    }
    let query = &inbound.query;
    let (statuses, words) = (query.many::<BeadStatus>("status")?, query.get("q").map(str::to_lowercase));
    let since: Option<Timestamp> = query.one("updated_since")?;
    found.retain(|bead| {
        (statuses.is_empty() || statuses.contains(&bead.status))
            && words.as_ref().is_none_or(|words| bead.title.to_lowercase().contains(words))
            && since.is_none_or(|since| bead.updated_at >= since)
    });
    Ok(Records(found))
}

async fn agents(inbound: &Inbound, rig_ids: &[RigId]) -> Result<Vec<Bead>> {
    let (answers, _) = inbound.ask_rigs(rig_ids, &ListAgents { town_id: inbound.town_id()? }).await;
    let agents = answers.into_iter().flat_map(|(_, agents)| agents);
    Ok(agents
        .map(|agent| {
            let status = if agent.assignment.is_some() { BeadStatus::InProgress } else { BeadStatus::Open };
            let id = BeadId::from_u128(agent.id.as_u128());
            Record { kind: "agent", id, status, title: agent.name, rig_id: agent.rig_id, at: agent.created_at }.into()
        })
        .collect())
}

async fn messages(inbound: &Inbound, rig_ids: &[RigId]) -> Result<Vec<Bead>> {
    let list = ListMail { town_id: inbound.town_id()?, mail_id: None, thread_id: None, limit: RECORDS_MAX };
    let (answers, _) = inbound.ask_rigs(rig_ids, &list).await;
    let mut mails = inbound.ask_town(&calls::ListMail { thread_id: None, limit: RECORDS_MAX }).await?;
    mails.extend(answers.into_iter().flat_map(|(_, mails)| mails));
    Ok(mails
        .into_iter()
        .map(|mail| {
            let status = if mail.delivered { BeadStatus::Closed } else { BeadStatus::Open };
            let id = BeadId::from_u128(mail.id.as_u128());
            let record =
                Record { kind: "message", id, status, title: mail.subject, rig_id: mail.rig_id, at: mail.created_at };
            Bead { body: Some(mail.body), created_by: Some(mail.from_agent_id), ..record.into() }
        })
        .collect())
}

async fn convoys(inbound: &Inbound) -> Result<Vec<Bead>> {
    let states = ["staged", "active", "needs_attention", "landing", "landed", "aborted"];
    let states = states.map(str::to_owned).to_vec();
    let all = inbound.ask_town(&ListConvoys { states, after: None, limit: RECORDS_MAX }).await?;
    Ok(all.into_iter().map(bead_of_convoy).collect())
}

fn bead_of_convoy(convoy: Convoy) -> Bead {
    let status = match convoy.state.as_str() {
        "landed" => BeadStatus::Closed,
        "aborted" => BeadStatus::Failed,
        "staged" => BeadStatus::Open,
        _ => BeadStatus::InProgress,
    };
    let id = BeadId::from_u128(convoy.id.as_u128());
    let record = Record { kind: "convoy", id, status, title: convoy.title, rig_id: None, at: convoy.created_at };
    Bead { convoy_id: Some(convoy.id), created_by: convoy.created_by, closed_at: convoy.landed_at, ..record.into() }
}

async fn escalations(inbound: &Inbound, rig_ids: &[RigId]) -> Result<Vec<Bead>> {
    let limit = RECORDS_MAX as usize;
    let rigs = if inbound.query.get("rig_id").is_some() || inbound.params.get("rigId").is_some() {
        rig_ids.to_vec()
    } else {
        Vec::new()
    };
    let filter = EscalationFilter { rigs, limit, ..EscalationFilter::default() };
    let all = inbound.ask_town(&ListEscalations { filter }).await?;
    Ok(all.iter().filter_map(|shape| gastown_core::json::from_value(shape).ok()).collect())
}
