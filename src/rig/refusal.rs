//! From the rig's refusals to the API's: the code, the sentence, and who the other party is.

use gastown_core::rig::Refusal as Domain;
use gastown_core::wire::code::Code;
use gastown_core::wire::envelope::{Issue, IssueCode};
use serde_json::json;

use crate::error::{Error, Refusal};

/// Words a refusal.
pub(super) fn api(refusal: Domain) -> Error {
    let refusal = match refusal {
        Domain::NoSuchBead(bead_id) => Refusal::not_found("bead").with(json!({ "kind": "bead", "bead_id": bead_id })),
        Domain::UnknownReference(what) => Refusal::new(Code::UnknownReference, format!("Unknown reference: {what}"))
            .with(json!({ "reference": what })),
        Domain::StaleAssignment { current_epoch } => Refusal::new(Code::StaleAssignment, "This assignment is over")
            .with(json!({ "current_epoch": current_epoch })),
        Domain::TerminalBead(bead_id, status) => Refusal::new(Code::TerminalBead, format!("The bead is {status}"))
            .with(json!({ "bead_id": bead_id, "status": status })),
        Domain::IllegalTransition(why) => Refusal::new(Code::IllegalTransition, why),
        Domain::NotFailed(bead_id, status) => {
            Refusal::new(Code::NotFailed, format!("Only a failed bead can be retried; this one is {status}"))
                .with(json!({ "bead_id": bead_id, "status": status }))
        }
        Domain::DependencyCycle(cycle) => {
            Refusal::new(Code::DependencyCycle, "The dependencies would wait for each other")
                .with(json!({ "cycle": cycle }))
        }
        Domain::VerdictRequired => {
            Refusal::new(Code::VerdictRequired, "A refinery must say approve, request_changes or reject")
        }
        Domain::FeedbackRequired => {
            let message = "Feedback is required unless the verdict is approve";
            let issue =
                Issue { code: IssueCode::Required, path: vec!["feedback".to_owned()], message: message.to_owned() };
            Refusal { issues: vec![issue], ..Refusal::new(Code::InvalidRequest, message) }
        }
        Domain::RoleNotAllowed(role) => {
            Refusal::new(Code::RoleNotAllowed, format!("The role {role} may not do this")).with(json!({ "role": role }))
        }
        Domain::ProbableDuplicate(bead_id) => {
            Refusal::new(Code::ProbableDuplicate, format!("The same was slung a moment ago as bead {bead_id}"))
                .with(json!({ "bead_id": bead_id }))
        }
        Domain::NotInBatch(request_id) => {
            Refusal::new(Code::Forbidden, "This request is not in your batch").with(json!({ "request_id": request_id }))
        }
        Domain::AlreadyResolved(request_id) => {
            Refusal::new(Code::AlreadyResolved, "This request was decided").with(json!({ "request_id": request_id }))
        }
        Domain::NoMolecule => Refusal::not_found("molecule"),
        Domain::NotHooked(agent_id) => {
            Refusal::new(Code::NotHooked, "The agent works on nothing").with(json!({ "agent_id": agent_id }))
        }
        Domain::LimitReached(why) => Refusal::new(Code::LimitReached, why),
        Domain::NoSuchAgent(agent_id) => {
            Refusal::not_found("agent").with(json!({ "kind": "agent", "agent_id": agent_id }))
        }
        Domain::AgentBusy { agent_id, bead_id } => {
            Refusal::new(Code::AgentBusy, format!("The agent works on bead {bead_id}"))
                .with(json!({ "agent_id": agent_id, "bead_id": bead_id }))
        }
        Domain::BeadAssigned { bead_id, agent_id } => {
            Refusal::new(Code::BeadAssigned, format!("Agent {agent_id} works on the bead"))
                .with(json!({ "agent_id": agent_id, "bead_id": bead_id }))
        }
        Domain::NotHookable(why) => Refusal::new(Code::NotHookable, why),
        Domain::DuplicateName(name) => {
            Refusal::new(Code::DuplicateName, format!("The rig has an agent of the name {name}"))
        }
        Domain::DuplicateIdentity(identity) => {
            Refusal::new(Code::DuplicateIdentity, format!("The rig has an agent of the identity {identity}"))
        }
        Domain::ReservedName(name) => Refusal::new(Code::ReservedName, format!("{name} is made by the town itself")),
        Domain::CrossRigDependency(bead_id) => {
            Refusal::new(Code::CrossRigDependency, "A task of a convoy waits for tasks of its convoy only")
                .with(json!({ "bead_id": bead_id }))
        }
        Domain::NotYours(why) => Refusal::new(Code::Forbidden, why),
    };
    refusal.into()
}
