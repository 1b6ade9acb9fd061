//! Molecules as clients see them (api.md 4, **Molecule**, **MoleculeStep**), and the requests that make and advance them.

use serde::{Deserialize, Serialize};

use super::read::{Fields, Request};
use crate::id::BeadId;
use crate::limits::{BODY_MAX, MOLECULE_STEPS_MAX, MOLECULE_SUMMARY_MAX, TITLE_MAX};
use crate::rig::bead::{Bead, BeadStatus};
use crate::rig::molecule::{self, StepState};
use crate::rig::state::State;
use crate::time::Timestamp;

/// **Molecule**.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct Molecule {
    pub id: BeadId,
    pub bead_id: Option<BeadId>,
    pub formula: Formula,
    pub current_step: usize,
    pub status: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(rename = "moleculeId")]
    pub molecule_id: BeadId,
    #[serde(rename = "currentStep")]
    pub current: usize,
    #[serde(rename = "totalSteps")]
    pub total: usize,
}

/// What a molecule is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Formula {
    /// In order.
    pub steps: Vec<FormulaStep>,
}

/// One step as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FormulaStep {
    /// One line.
    pub title: String,
    /// What to do.
    pub instructions: String,
}

impl Molecule {
    /// A molecule in view of the state.
    pub fn of(state: &State, bead: &Bead) -> Self {
        let steps = molecule::steps(state, bead.bead_id);
        let (total, current) = (steps.len(), steps.iter().filter(|step| step.state == StepState::Closed).count());
        let formula = steps
            .iter()
            .map(|step| FormulaStep { title: step.title.clone(), instructions: step.instructions.clone() })
            .collect();
        let status = match bead.status {
            BeadStatus::Open | BeadStatus::InProgress | BeadStatus::InReview => "active",
            BeadStatus::Closed => "completed",
            BeadStatus::Failed => "failed",
        };
        Self {
            id: bead.bead_id,
            bead_id: bead.parent_id,
            formula: Formula { steps: formula },
            current_step: current,
            status: status.to_owned(),
            created_at: bead.created_at,
            updated_at: bead.updated_at,
            molecule_id: bead.bead_id,
            current,
            total,
        }
    }
}

/// **MoleculeStep**: the molecule with its current step, which stands at top level as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct MoleculeStep {
    pub molecule: Molecule,
    pub step: CurrentStep,
    #[serde(rename = "moleculeId")]
    pub molecule_id: BeadId,
    #[serde(rename = "currentStep")]
    pub current: usize,
    #[serde(rename = "totalSteps")]
    pub total: usize,
    pub title: String,
    pub instructions: String,
    pub status: String,
}

/// The first open step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names are the fields of api.md 4")]
pub struct CurrentStep {
    pub index: u32,
    pub bead_id: BeadId,
    pub title: String,
    pub instructions: String,
    pub status: StepState,
}

impl MoleculeStep {
    /// The current step of an issue; none when it has no steps, or none is left.
    pub fn current(state: &State, bead_id: BeadId) -> Option<Self> {
        let molecule = Molecule::of(state, molecule::of_bead(state, bead_id)?);
        let step = molecule::open_steps(state, bead_id).first().copied()?;
        let step = CurrentStep {
            index: step.idx,
            bead_id: step.step_id,
            title: step.title.clone(),
            instructions: step.instructions.clone(),
            status: step.state,
        };
        Some(Self {
            molecule_id: molecule.id,
            current: molecule.current,
            total: molecule.total,
            title: step.title.clone(),
            instructions: step.instructions.clone(),
            status: molecule.status.clone(),
            molecule,
            step,
        })
    }
}

/// `POST R/molecules`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMolecule {
    /// The issue.
    pub bead_id: Option<BeadId>,
    /// Title and instructions of each step.
    pub steps: Vec<(String, String)>,
}

/// `{steps: […]}`.
struct NewFormula(Vec<(String, String)>);

/// One of them.
struct NewStep(String, String);

impl Request for NewStep {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self(fields.text("title", 1, TITLE_MAX), fields.text("instructions", 1, BODY_MAX))
    }
}

impl Request for NewFormula {
    fn read(fields: &mut Fields<'_>) -> Self {
        let steps = fields.list("steps", 1, MOLECULE_STEPS_MAX, |fields, index| fields.object::<NewStep>(index));
        Self(steps.into_iter().flatten().map(|NewStep(title, instructions)| (title, instructions)).collect())
    }
}

impl Request for NewMolecule {
    fn read(fields: &mut Fields<'_>) -> Self {
        let steps = fields.object::<NewFormula>("formula").map(|NewFormula(steps)| steps).unwrap_or_default();
        Self { bead_id: fields.id("bead_id"), steps }
    }
}

/// `POST A/molecule/advance`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// What was done.
    pub summary: String,
}

impl Request for Advance {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self { summary: fields.trimmed("summary", 1, MOLECULE_SUMMARY_MAX) }
    }
}
