//! What the mayor, or a script, shows in the dashboards that are open (api.md 3.12, **UiAction**).

use serde_json::{Value, json};

use super::read::{Fields, Request};
use crate::id::{AgentId, BeadId, ConvoyId, RigId};
use crate::limits::UI_CONTEXT_MAX;
use crate::text_enum;

text_enum! {
    /// Kinds of actions.
    pub enum UiActionKind {
        OpenBeadDrawer = "open_bead_drawer",
        OpenConvoyDrawer = "open_convoy_drawer",
        OpenAgentDrawer = "open_agent_drawer",
        HighlightBead = "highlight_bead",
        Navigate = "navigate",
    }
}

text_enum! {
    /// Pages to go to.
    pub enum Page {
        TownOverview = "town-overview",
        Beads = "beads",
        Agents = "agents",
        Rigs = "rigs",
        Settings = "settings",
        Convoys = "convoys",
        MergeQueue = "merge-queue",
        Mail = "mail",
        Escalations = "escalations",
        Observability = "observability",
        Mayor = "mayor",
    }
}

/// **UiAction**: what it names must be in the town; the town itself is that of the path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UiAction {
    /// What to do.
    pub kind: Option<UiActionKind>,
    /// A bead …
    pub bead_id: Option<BeadId>,
    /// … or a convoy …
    pub convoy_id: Option<ConvoyId>,
    /// … or an agent …
    pub agent_id: Option<AgentId>,
    /// … of this rig.
    pub rig_id: Option<RigId>,
    /// A page.
    pub page: Option<Page>,
}

impl Request for UiAction {
    fn read(fields: &mut Fields<'_>) -> Self {
        let kind: Option<UiActionKind> = fields.word("type");
        let mut action = Self { kind, ..Self::default() };
        match kind {
            Some(UiActionKind::OpenBeadDrawer | UiActionKind::HighlightBead) => {
                action.bead_id = fields.id("beadId");
                action.rig_id = fields.id("rigId");
            }
            Some(UiActionKind::OpenConvoyDrawer) => action.convoy_id = fields.id("convoyId"),
            Some(UiActionKind::OpenAgentDrawer) => {
                action.agent_id = fields.id("agentId");
                action.rig_id = fields.id("rigId");
            }
            Some(UiActionKind::Navigate) => action.page = fields.word("page"),
            None => (),
        }
        action
    }
}

impl UiAction {
    /// As dashboards get it.
    pub fn shown(&self, town_id: crate::id::TownId) -> Value {
        let mut action = json!({ "type": self.kind });
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                action[name] = value;
            }
        };
        put("beadId", json!(self.bead_id));
        put("convoyId", json!(self.convoy_id));
        put("agentId", json!(self.agent_id));
        put("rigId", json!(self.rig_id));
        put("page", json!(self.page));
        if matches!(self.kind, Some(UiActionKind::OpenConvoyDrawer | UiActionKind::OpenAgentDrawer)) {
            put("townId", json!(town_id));
        }
        action
    }
}

/// `POST T/mayor/ui-action` and `M/ui-action`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowUi {
    /// What to show.
    pub action: Option<UiAction>,
}

impl Request for ShowUi {
    fn read(fields: &mut Fields<'_>) -> Self {
        if !fields.has("action") {
            fields.issue("action", crate::wire::envelope::IssueCode::Required, "is required");
        }
        Self { action: fields.object("action") }
    }
}

/// `POST T/mayor/dashboard-context`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookAt {
    /// What the person looks at.
    pub context: String,
}

impl Request for LookAt {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { context: fields.text("context", 0, UI_CONTEXT_MAX) }
    }
}

/// `POST T/mayor/completed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayorCompleted {
    /// How it ended.
    pub status: String,
}

impl Request for MayorCompleted {
    fn read(fields: &mut Fields<'_>) -> Self {
        fields.optional_text("reason", 0, crate::limits::NOTE_MAX);
        fields.optional_id::<AgentId>("agentId");
        Self { status: fields.text("status", 1, 32) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api::read::read;

    #[test]
    fn an_action_names_what_its_kind_needs() {
        let bead = "00000000-0000-4000-8000-000000000001";
        let read = |text: String| read::<ShowUi>(text.as_bytes()).ok().and_then(|ui| ui.action);
        let highlight = format!(r#"{{"action":{{"type":"highlight_bead","beadId":"{bead}","rigId":"{bead}"}}}}"#);
        let shown = read(highlight).unwrap().shown(crate::id::TownId::from_u128(9));
        assert_eq!((&shown["type"], &shown["beadId"]), (&json!("highlight_bead"), &json!(bead)));
        assert!(shown.get("townId").is_none());
        for bad in [
            r#"{}"#,
            r#"{"action":{"type":"explode"}}"#,
            r#"{"action":{"type":"navigate","page":"elsewhere"}}"#,
            r#"{"action":{"type":"open_bead_drawer"}}"#,
        ] {
            assert_eq!(read(bad.to_owned()), None, "{bad}");
        }
    }
}
