//! Tickets for streams (api.md 3.5).

use super::read::{Fields, Request};
use crate::id::AgentId;
use crate::text_enum;

text_enum! {
    /// What a ticket opens.
    pub enum TicketPurpose {
        TownEvents = "town_events",
        AgentStream = "agent_stream",
        StatusWs = "status_ws",
        Pty = "pty",
    }
}

/// `POST T/tickets`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintTicket {
    /// What for; absent only when the body was not valid.
    pub purpose: Option<TicketPurpose>,
    /// Of this agent only.
    pub agent_id: Option<AgentId>,
}

impl Request for MintTicket {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { purpose: fields.word("purpose"), agent_id: fields.optional_id("agent_id") }
    }
}
