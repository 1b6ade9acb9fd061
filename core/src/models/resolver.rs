//! The order in which settings are asked for a model (models.md 4). The first candidate with a value wins; the ones
//! below are listed too, so that a person sees what would apply next.
//!
//! Nothing here reads anything but its arguments, and the same arguments give the same bytes.

use serde::{Deserialize, Serialize};

use super::{
    Catalogue, ModelId, ModelOverride, Profile, RigModels, RoutableLabel, SlotRole, Task, TaskRole, TownModels,
};
use crate::id::RigId;
use crate::text_enum;

text_enum! {
    /// Which rule gave the value; in the order of precedence, the small model's own rules last.
    pub enum Rule {
        Bead = "bead",
        OverrideRoleLabelRig = "override_role_label_rig",
        OverrideRoleLabel = "override_role_label",
        ProfileRoleLabel = "profile_role_label",
        OverrideRoleRig = "override_role_rig",
        RigRole = "rig_role",
        OverrideRole = "override_role",
        TownRole = "town_role",
        RigDefault = "rig_default",
        ProfileRole = "profile_role",
        TownDefault = "town_default",
        Fallback = "fallback",
        OverrideSmall = "override_small",
        ProfileSmall = "profile_small",
        TownSmall = "town_small",
        FallbackSmall = "fallback_small",
    }
}

text_enum! {
    /// Where the value is written down.
    pub enum Source {
        Bead = "bead",
        Override = "override",
        Profile = "profile",
        Rig = "rig",
        Town = "town",
        Builtin = "builtin",
    }
}

text_enum! {
    /// What became of a candidate.
    pub enum Outcome {
        Unset = "unset",
        Wins = "wins",
        Shadowed = "shadowed",
    }
}

impl Rule {
    /// Where a value of this rule is written down.
    pub const fn source(self) -> Source {
        match self {
            Self::Bead => Source::Bead,
            Self::OverrideRoleLabelRig
            | Self::OverrideRoleLabel
            | Self::OverrideRoleRig
            | Self::OverrideRole
            | Self::OverrideSmall => Source::Override,
            Self::ProfileRoleLabel | Self::ProfileRole | Self::ProfileSmall => Source::Profile,
            Self::RigRole | Self::RigDefault => Source::Rig,
            Self::TownRole | Self::TownDefault | Self::TownSmall => Source::Town,
            Self::Fallback | Self::FallbackSmall => Source::Builtin,
        }
    }
}

/// The answer: which model, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Resolution {
    /// The model to ask for.
    pub model: ModelId,
    /// The model of titles and other small tasks.
    pub small_model: ModelId,
    /// Where the winning value is written down.
    pub source: Source,
    /// The rule that won.
    pub rule: Rule,
    /// The label that it matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<RoutableLabel>,
    /// Every candidate that applies, in order of precedence; exactly one wins.
    pub trace: Vec<TraceEntry>,
    /// The same for the small model.
    pub small_trace: Vec<TraceEntry>,
    /// The sentence shown to people.
    pub because: String,
    /// The catalogue that was asked.
    pub catalogue_version: u64,
}

impl Resolution {
    /// Whether a session started with `other` would ask for the same models.
    pub fn asks_same(&self, other: &Self) -> bool {
        self.model == other.model && self.small_model == other.small_model
    }

    /// What an assignment keeps of the answer.
    pub fn reason(&self) -> ModelReason {
        ModelReason {
            source: self.source,
            rule: self.rule,
            label: self.label,
            because: self.because.clone(),
            catalogue_version: self.catalogue_version,
        }
    }
}

/// Why an assignment runs with its model, as stored with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelReason {
    /// Where the value is written down.
    pub source: Source,
    /// The rule that won.
    pub rule: Rule,
    /// The label that it matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<RoutableLabel>,
    /// The sentence shown to people.
    pub because: String,
    /// The catalogue that was asked.
    pub catalogue_version: u64,
}

/// One candidate and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TraceEntry {
    /// The rule.
    pub rule: Rule,
    /// The label it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<RoutableLabel>,
    /// The rig it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rig_id: Option<RigId>,
    /// Its value; `null` when it has none.
    pub value: Option<ModelId>,
    /// What became of it.
    pub outcome: Outcome,
}

/// Chooses the model and the small model for a task.
pub fn resolve(models: &TownModels, catalogue: &Catalogue, rig: Option<&RigModels>, task: &Task) -> Resolution {
    let profile = models.model_profile.as_deref().and_then(|name| catalogue.profile(name));
    let question = Question { models, profile, rig, task };
    let (trace, won) = judge(question.candidates(), Rule::Fallback, &catalogue.fallback);
    let (small_trace, small) = judge(question.small_candidates(), Rule::FallbackSmall, &catalogue.small_fallback);
    Resolution {
        source: won.rule.source(),
        rule: won.rule,
        label: won.label,
        because: format!("{} because: {}", won.model.short(), question.phrase(&won)),
        model: won.model,
        small_model: small.model,
        trace,
        small_trace,
        catalogue_version: catalogue.version,
    }
}

/// One place to look, before anything is compared.
struct Candidate<'a> {
    rule: Rule,
    label: Option<RoutableLabel>,
    rig_id: Option<RigId>,
    value: Option<&'a ModelId>,
}

struct Winner {
    rule: Rule,
    label: Option<RoutableLabel>,
    model: ModelId,
}

/// Marks the first candidate with a value; the fallback closes the list, so that something always wins.
fn judge<'a>(mut candidates: Vec<Candidate<'a>>, last: Rule, fallback: &'a ModelId) -> (Vec<TraceEntry>, Winner) {
    candidates.push(Candidate { rule: last, label: None, rig_id: None, value: Some(fallback) });
    let mut winner = None;
    let mut trace = Vec::with_capacity(candidates.len());
    for Candidate { rule, label, rig_id, value } in candidates {
        let outcome = match value {
            None => Outcome::Unset,
            Some(_) if winner.is_some() => Outcome::Shadowed,
            Some(model) => {
                winner = Some(Winner { rule, label, model: model.clone() });
                Outcome::Wins
            }
        };
        trace.push(TraceEntry { rule, label, rig_id, value: value.cloned(), outcome });
    }
    (trace, winner.unwrap_or_else(|| Winner { rule: last, label: None, model: fallback.clone() }))
}

struct Question<'a> {
    models: &'a TownModels,
    /// The profile in force; none under `custom`, for which catalogue slots do not exist.
    profile: Option<&'a Profile>,
    rig: Option<&'a RigModels>,
    task: &'a Task,
}

impl<'a> Question<'a> {
    /// The levels of models.md 4, less the fallback.
    fn candidates(&self) -> Vec<Candidate<'a>> {
        let mut out = Vec::new();
        match self.task.role {
            TaskRole::Polecat => self.worker(SlotRole::Polecat, &mut out),
            TaskRole::Refinery => self.worker(SlotRole::Refinery, &mut out),
            TaskRole::Mayor => {
                self.town_role(SlotRole::Mayor, &mut out);
                self.profile_role(SlotRole::Mayor, &mut out);
            }
            TaskRole::None => (),
        }
        out.push(plain(Rule::TownDefault, self.models.default_model.as_ref()));
        out
    }

    fn small_candidates(&self) -> Vec<Candidate<'a>> {
        let mut out = vec![plain(Rule::OverrideSmall, self.over(SlotRole::Small, None, None))];
        if let Some(profile) = self.profile {
            out.push(plain(Rule::ProfileSmall, profile.model(SlotRole::Small, None)));
        }
        out.push(plain(Rule::TownSmall, self.models.small_model.as_ref()));
        out
    }

    /// Levels 1 to 8 for the two roles that work on beads.
    fn worker(&self, role: SlotRole, out: &mut Vec<Candidate<'a>>) {
        let bead_model: Option<&'a ModelId> = self.task.bead_model.as_ref();
        out.push(plain(Rule::Bead, bead_model));
        self.labelled(role, out);
        if let Some(rig) = self.rig {
            let rig_id = Some(rig.rig_id);
            let rule = self.over(role, None, rig_id);
            out.push(Candidate { rig_id, ..plain(Rule::OverrideRoleRig, rule) });
            out.push(Candidate { rig_id, ..plain(Rule::RigRole, rig_role_model(rig, role)) });
        }
        self.town_role(role, out);
        if let Some(rig) = self.rig {
            let rig_id = Some(rig.rig_id);
            out.push(Candidate { rig_id, ..plain(Rule::RigDefault, rig.default_model.as_ref()) });
        }
        self.profile_role(role, out);
    }

    /// Levels 2, 3 and 4: each level tries all labels before the next level is asked.
    fn labelled(&self, role: SlotRole, out: &mut Vec<Candidate<'a>>) {
        let labels = || self.task.labels.iter().copied().map(Some);
        if let Some(rig_id) = self.rig.map(|rig| Some(rig.rig_id)) {
            for label in labels() {
                let rule = self.over(role, label, rig_id);
                out.push(Candidate { label, rig_id, ..plain(Rule::OverrideRoleLabelRig, rule) });
            }
        }
        for label in labels() {
            out.push(Candidate { label, ..plain(Rule::OverrideRoleLabel, self.over(role, label, None)) });
        }
        if let Some(profile) = self.profile {
            for label in labels() {
                out.push(Candidate { label, ..plain(Rule::ProfileRoleLabel, profile.model(role, label)) });
            }
        }
    }

    fn town_role(&self, role: SlotRole, out: &mut Vec<Candidate<'a>>) {
        out.push(plain(Rule::OverrideRole, self.over(role, None, None)));
        out.push(plain(Rule::TownRole, town_role_model(self.models, role)));
    }

    fn profile_role(&self, role: SlotRole, out: &mut Vec<Candidate<'a>>) {
        if let Some(profile) = self.profile {
            out.push(plain(Rule::ProfileRole, profile.model(role, None)));
        }
    }

    fn over(&self, role: SlotRole, label: Option<RoutableLabel>, rig_id: Option<RigId>) -> Option<&'a ModelId> {
        let matches = |rule: &&ModelOverride| rule.role == role && rule.label == label && rule.rig_id == rig_id;
        self.models.model_overrides.iter().find(matches).map(|rule| &rule.model)
    }

    /// The second half of the sentence (models.md 4, table of phrases).
    fn phrase(&self, won: &Winner) -> String {
        let role = role_title(self.task.role);
        let label = won.label.map(|label| format!(" - label {label}")).unwrap_or_default();
        let rig = self.rig.map_or("", |rig| rig.name.as_str());
        let profile = self.profile.map_or("", |profile| profile.name.as_str());
        match won.rule {
            Rule::Bead => "model chosen for this bead".to_owned(),
            Rule::OverrideRoleLabelRig | Rule::OverrideRoleRig => format!("override \"{role}{label} - rig {rig}\""),
            Rule::OverrideRoleLabel | Rule::OverrideRole => format!("override \"{role}{label}\""),
            Rule::ProfileRoleLabel | Rule::ProfileRole => format!("profile {profile} \"{role}{label}\""),
            Rule::RigRole => format!("rig {rig} \"{role}\""),
            Rule::RigDefault => format!("rig {rig} \"Default model\""),
            Rule::TownRole => format!("town \"{role}\""),
            Rule::TownDefault => "town \"Default model\"".to_owned(),
            Rule::OverrideSmall => "override \"Small model\"".to_owned(),
            Rule::ProfileSmall => format!("profile {profile} \"Small model\""),
            Rule::TownSmall => "town \"Small model\"".to_owned(),
            Rule::Fallback | Rule::FallbackSmall => "built-in fallback".to_owned(),
        }
    }
}

fn plain(rule: Rule, value: Option<&ModelId>) -> Candidate<'_> {
    Candidate { rule, label: None, rig_id: None, value }
}

fn town_role_model(models: &TownModels, role: SlotRole) -> Option<&ModelId> {
    match role {
        SlotRole::Mayor => models.role_models.mayor.as_ref(),
        SlotRole::Polecat => models.role_models.polecat.as_ref(),
        SlotRole::Refinery => models.role_models.refinery.as_ref(),
        SlotRole::Small => None,
    }
}

fn rig_role_model(rig: &RigModels, role: SlotRole) -> Option<&ModelId> {
    match role {
        SlotRole::Polecat => rig.role_models.polecat.as_ref(),
        SlotRole::Refinery => rig.role_models.refinery.as_ref(),
        SlotRole::Mayor | SlotRole::Small => None,
    }
}

const fn role_title(role: TaskRole) -> &'static str {
    match role {
        TaskRole::Mayor => "Mayor",
        TaskRole::Polecat => "Polecat",
        TaskRole::Refinery => "Refinery",
        TaskRole::None => "Default",
    }
}
