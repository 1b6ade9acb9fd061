//! Role texts: the part of a prompt that stands in every request of a session and survives compaction.

use super::mark::{Label, Nonce, block, one_line};
use super::tools;
use crate::id::{BeadId, RigId};

/// Who works where: arguments of [`polecat`].
#[derive(Debug, Clone, Copy)]
pub struct Polecat<'a> {
    /// Name of the agent.
    pub agent: &'a str,
    /// Name of the rig.
    pub rig: &'a str,
    /// The bead on the hook.
    pub bead: BeadId,
    /// The only branch it may push.
    pub branch: &'a str,
    /// Where the branch starts.
    pub base: &'a str,
    /// Where the work will be merged.
    pub target: &'a str,
    /// Commands of the rig that must pass.
    pub gates: &'a [String],
    /// What the town or rig adds.
    pub custom: Option<&'a str>,
}

/// The role text of a polecat, for kinds work, rework, conflict, feedback and fixup.
pub fn polecat(arguments: &Polecat<'_>, nonce: Nonce) -> String {
    let Polecat { agent, rig, bead, branch, base, target, gates, custom } = *arguments;
    fill!(
        "polecat.md",
        agent = one_line(agent),
        rig = one_line(rig),
        bead = bead.to_string(),
        branch = one_line(branch),
        base = one_line(base),
        target = one_line(target),
        gates = gates_text(gates, nonce),
        tools = tools::list(tools::POLECAT),
        blocks = fill!("blocks.md"),
        custom = custom_text(custom, nonce),
    )
}

/// What a refinery looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The branch of one task.
    Task,
    /// The feature branch of a convoy.
    Landing,
}

/// Who reviews what: arguments of [`refinery`].
#[derive(Debug, Clone, Copy)]
pub struct Refinery<'a> {
    /// Name of the agent.
    pub agent: &'a str,
    /// Name of the rig.
    pub rig: &'a str,
    /// The merge request.
    pub review: BeadId,
    /// Branch of the work.
    pub branch: &'a str,
    /// Where it will be merged.
    pub target: &'a str,
    /// Full hash of the commit under review.
    pub commit: &'a str,
    /// One task or a whole convoy.
    pub scope: Scope,
    /// What the town or rig adds.
    pub custom: Option<&'a str>,
}

/// The role text of a refinery, for kinds review and landing.
pub fn refinery(arguments: &Refinery<'_>, nonce: Nonce) -> String {
    let Refinery { agent, rig, review, branch, target, commit, scope, custom } = *arguments;
    let scope = match scope {
        Scope::Task => fill!("refinery_review.md"),
        Scope::Landing => fill!("refinery_landing.md"),
    };
    fill!(
        "refinery.md",
        agent = one_line(agent),
        rig = one_line(rig),
        review = review.to_string(),
        branch = one_line(branch),
        target = one_line(target),
        commit = one_line(commit),
        scope = scope,
        tools = tools::list(tools::REFINERY),
        blocks = fill!("blocks.md"),
        custom = custom_text(custom, nonce),
    )
}

/// Who decides: arguments of [`triage`].
#[derive(Debug, Clone, Copy)]
pub struct Triage<'a> {
    /// Name of the agent.
    pub agent: &'a str,
    /// Name of the rig.
    pub rig: &'a str,
    /// The batch.
    pub bead: BeadId,
    /// What the town or rig adds.
    pub custom: Option<&'a str>,
}

/// The role text of a triage assignment.
pub fn triage(arguments: &Triage<'_>, nonce: Nonce) -> String {
    let Triage { agent, rig, bead, custom } = *arguments;
    fill!(
        "triage.md",
        agent = one_line(agent),
        rig = one_line(rig),
        bead = bead.to_string(),
        tools = tools::list(tools::TRIAGE),
        blocks = fill!("blocks.md"),
        custom = custom_text(custom, nonce),
    )
}

/// One repository in the mayor's role text.
#[derive(Debug, Clone, Copy)]
pub struct RigEntry<'a> {
    /// Its id, as `gt_sling` wants it.
    pub rig_id: RigId,
    /// Name.
    pub name: &'a str,
    /// Repository address, without credentials.
    pub git_url: &'a str,
    /// Default branch.
    pub default_branch: &'a str,
    /// Where work is merged.
    pub target_branch: &'a str,
    /// What the repository is for.
    pub purpose: Option<&'a str>,
    /// Folder under which the mayor can read it, where the runtime shows one.
    pub folder: Option<&'a str>,
}

/// The town: arguments of [`mayor`].
#[derive(Debug, Clone, Copy)]
pub struct Mayor<'a> {
    /// Name of the town.
    pub town: &'a str,
    /// Its repositories.
    pub rigs: &'a [RigEntry<'a>],
    /// What the town adds.
    pub custom: Option<&'a str>,
}

/// The role text of the mayor.
pub fn mayor(arguments: &Mayor<'_>, nonce: Nonce) -> String {
    let Mayor { town, rigs, custom } = *arguments;
    fill!(
        "mayor.md",
        town = one_line(town),
        reading = reading_text(rigs),
        rigs = rigs_text(rigs, nonce),
        tools = tools::list(tools::MAYOR),
        blocks = fill!("blocks.md"),
        custom = custom_text(custom, nonce),
    )
}

fn rigs_text(rigs: &[RigEntry<'_>], nonce: Nonce) -> String {
    if rigs.is_empty() {
        return "The town has no rig yet. Say so when someone asks for work: a person connects one in the dashboard."
            .into();
    }
    let lines: Vec<String> = rigs.iter().map(rig_line).collect();
    block(Label::Rigs, nonce, &lines.join("\n"))
}

fn rig_line(rig: &RigEntry<'_>) -> String {
    let RigEntry { rig_id, name, git_url, default_branch, target_branch, purpose, folder: _ } = *rig;
    let purpose = purpose.map(|purpose| format!("; purpose: {}", one_line(purpose))).unwrap_or_default();
    format!(
        "- {rig_id}: {}, {}, default branch {}, merged into {}{purpose}",
        one_line(name),
        one_line(git_url),
        one_line(default_branch),
        one_line(target_branch),
    )
}

fn reading_text(rigs: &[RigEntry<'_>]) -> String {
    let folders: Vec<String> = rigs
        .iter()
        .filter_map(|rig| rig.folder.map(|folder| format!("- `{}`: rig {}", one_line(folder), rig.rig_id)))
        .collect();
    if folders.is_empty() { String::new() } else { fill!("mayor_reading.md", folders = folders.join("\n")) }
}

fn gates_text(gates: &[String], nonce: Nonce) -> String {
    if gates.is_empty() {
        return fill!("gates_none.md");
    }
    fill!("gates.md", commands = block(Label::Gates, nonce, &gates.join("\n")))
}

fn custom_text(custom: Option<&str>, nonce: Nonce) -> String {
    match custom.map(str::trim) {
        None | Some("") => String::new(),
        Some(text) => fill!("custom.md", instructions = block(Label::Instructions, nonce, text)),
    }
}
