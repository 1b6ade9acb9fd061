//! Convoys as commands of a scenario of the town, and what rigs say of tasks.
//!
//! A task is written `b1@api`, with what it waits for behind a colon: `b3@web:b1,#0` (`#0`: the first task of the plan). A
//! bead that joins is written `+b1@api`.

use gastown_core::id::{BeadId, ConvoyId};
use gastown_core::protocol::{LandingProgress, LandingReport, Priority, RigToTown, TaskShown, TaskStatus, TownToRig};
use gastown_core::town::convoy::{
    Blocker, Convoy, ConvoyCommand, ConvoyPatch, Join, NewConvoy, NewTask, TaskFields, ignored_references,
};
use gastown_core::town::{Command, State};

use super::town::{Player, rig};
use super::{bead_id, bead_name};

impl Player {
    /// A command about convoys; false when it is none.
    pub(super) fn run_convoy(&mut self, words: &[&str]) -> bool {
        let actor = "ann".to_owned();
        let command = match *words {
            ["convoy", name, title, ref rest @ ..] => return self.create(name, title, rest),
            ["start", name] => ConvoyCommand::Start(convoy(name)),
            ["add", name, task] if task.starts_with('+') => {
                let (join, depends_on) = self.join(task);
                ConvoyCommand::AddBead { convoy_id: convoy(name), join, depends_on }
            }
            ["add", name, task] => ConvoyCommand::AddTask { convoy_id: convoy(name), task: new_task(task) },
            ["take-out", name, task] => {
                ConvoyCommand::RemoveTask { convoy_id: convoy(name), bead_id: bead_id(task), actor }
            }
            ["depend", task, blockers] => {
                let depends_on = blockers.split(',').filter(|b| !b.is_empty()).map(bead_id).collect();
                ConvoyCommand::SetDependencies { bead_id: bead_id(task), depends_on }
            }
            ["update", name, field, value] => {
                let mut patch = ConvoyPatch::default();
                match field {
                    "title" => patch.title = Some(value.to_owned()),
                    "mode" => patch.merge_mode = Some(value.parse().unwrap()),
                    "branch" => patch.feature_branch = Some(value.to_owned()),
                    _ => panic!("update: {field}"),
                }
                ConvoyCommand::Update { convoy_id: convoy(name), patch }
            }
            ["retry", name, ref tasks @ ..] => {
                ConvoyCommand::Retry { convoy_id: convoy(name), bead_ids: ids(tasks), actor }
            }
            ["skip", name, ref tasks @ ..] => ConvoyCommand::Skip { convoy_id: convoy(name), bead_ids: ids(tasks) },
            ["abort", name] => ConvoyCommand::Abort { convoy_id: convoy(name), reason: None, actor },
            ["close", name] => ConvoyCommand::Close { convoy_id: convoy(name), actor },
            ["task", name, task, status, ref rest @ ..] => {
                self.task_reported(name, task, status, rest);
                return true;
            }
            ["gone", name, task] => {
                let convoy_id = self.state.as_ref().unwrap().tasks.get(&bead_id(task)).map(|task| task.convoy_id);
                let convoy_id = convoy_id.unwrap_or(ConvoyId::from_u128(0));
                self.rig_says(name, RigToTown::TaskGone { convoy_id, bead_id: bead_id(task) });
                return true;
            }
            ["landing", name, result] => {
                self.landing_reported(name, result);
                return true;
            }
            _ => return false,
        };
        self.command(Command::Convoy(Box::new(command)));
        true
    }

    fn create(&mut self, name: &str, title: &str, rest: &[&str]) -> bool {
        let mut new = NewConvoy {
            convoy_id: Some(convoy(name)),
            title: title.to_owned(),
            created_by: "ann".to_owned(),
            ..NewConvoy::default()
        };
        for &word in rest {
            match word {
                "staged" => new.staged = Some(true),
                "at-once" => new.staged = Some(false),
                "parallel" => new.is_parallel = true,
                "once" => new.refuses_repeat = true,
                "review-then-land" | "review-and-merge" => new.merge_mode = Some(word.parse().unwrap()),
                task if task.starts_with('+') => new.joins.push(self.join(task).0),
                task => new.tasks.push(new_task(task)),
            }
        }
        self.told.extend(ignored_references(&new.tasks).into_iter().map(|words| format!("warning: {words}")));
        self.command(Command::Convoy(Box::new(ConvoyCommand::Create(new))));
        true
    }

    fn join(&self, text: &str) -> (Join, Vec<BeadId>) {
        let task = new_task(&text[1..]);
        let blockers: Vec<BeadId> = task
            .after
            .iter()
            .filter_map(|blocker| match blocker {
                Blocker::Bead(id) => Some(*id),
                Blocker::Index(_) => None,
            })
            .collect();
        let join = Join {
            bead_id: task.bead_id.unwrap(),
            rig_id: task.rig_id,
            convoy_id: None,
            status: "open".parse().unwrap(),
            attempt: 1,
            shown: TaskShown::new(task.fields.title, Priority::Medium),
            blockers,
        };
        (join, Vec::new())
    }

    fn task_reported(&mut self, name: &str, task: &str, status: &str, rest: &[&str]) {
        let bead_id = bead_id(task);
        let state = self.state.as_ref().unwrap();
        let known = state.tasks.get(&bead_id);
        let convoy_id = known.map_or(ConvoyId::from_u128(0), |task| task.convoy_id);
        let mut report = TaskStatus {
            convoy_id,
            bead_id,
            attempt: known.map_or(1, |task| task.attempt),
            status: status.parse().unwrap(),
            merged_into: None,
            failure: (status == "failed").then(|| "it went wrong".to_owned()),
            shown: TaskShown { is_started: status != "open", ..TaskShown::new(task.to_owned(), Priority::Medium) },
        };
        for pair in rest.chunks(2) {
            match *pair {
                ["into", "feature"] => {
                    let part = state.convoy_rigs.get(&(convoy_id, rig(name)));
                    report.merged_into = part.and_then(|part| part.feature_branch.clone());
                }
                ["into", branch] => report.merged_into = Some(branch.to_owned()),
                ["attempt", attempt] => report.attempt = attempt.parse().unwrap(),
                _ => panic!("task: {pair:?}"),
            }
        }
        self.rig_says(name, RigToTown::TaskStatus(Box::new(report)));
    }

    /// About the rig's newest landing.
    fn landing_reported(&mut self, name: &str, result: &str) {
        let state = self.state.as_ref().unwrap();
        let mut parts = state.convoy_rigs.values().filter(|part| part.rig_id == rig(name));
        let part = parts.find(|part| part.landing_bead.is_some()).or(self.last_landing.as_ref()).expect("a landing");
        let progress: LandingProgress = result.parse().unwrap();
        let report = LandingReport {
            convoy_id: part.convoy_id,
            bead_id: part.landing_bead.unwrap(),
            progress,
            commit: (progress == LandingProgress::Merged).then(|| "feed5eed".to_owned()),
            reason: (progress == LandingProgress::Rejected).then(|| "it does not fit".to_owned()),
        };
        self.last_landing = Some(part.clone());
        self.rig_says(name, RigToTown::LandingState(report));
    }

    /// What became of convoys: their state, counts, and what they ask.
    pub(super) fn tell_convoys(&mut self, before: &State, after: &State) {
        let mut lines = Vec::new();
        self.last_landing =
            after.convoy_rigs.values().find(|part| part.landing_bead.is_some()).cloned().or(self.last_landing.take());
        for (id, convoy) in &after.convoys {
            let line = told(after, convoy);
            if before.convoys.get(id).map(|old| told(before, old)).as_ref() != Some(&line) {
                lines.push(line);
            }
        }
        for (key, open) in &after.escalations {
            if open.category == "convoy" && before.escalations.get(key).map(|old| old.state) != Some(open.state) {
                lines.push(format!("escalation {} {}: {}", open.severity, open.state, open.title));
            }
        }
        self.told.extend(lines);
    }
}

fn told(state: &State, convoy: &Convoy) -> String {
    let counts = convoy.counts;
    let mut line =
        format!("{} {}: {} of {} closed", convoy_name(convoy.convoy_id), convoy.state, counts.closed, counts.total);
    if counts.failed > 0 {
        line += &format!(", {} failed", counts.failed);
    }
    if counts.skipped > 0 {
        line += &format!(", {} skipped", counts.skipped);
    }
    for cause in &convoy.attention {
        let about = cause.bead_id.map(|id| format!(" {}", bead_name(id))).unwrap_or_default();
        line += &format!(", needs {}{about} ({})", cause.code, cause.choices.join(" "));
    }
    for part in state.rigs_of(convoy.convoy_id).filter(|part| part.attempts > 0) {
        let name = state.rigs.get(&part.rig_id).map(|rig| rig.name.clone()).unwrap_or_default();
        line += &format!(", {name} landing {} ({})", part.landing, part.attempts);
    }
    line
}

fn new_task(text: &str) -> NewTask {
    let (name, rest) = text.split_once('@').unwrap_or_else(|| panic!("no task: {text}"));
    let (rig_name, after) = rest.split_once(':').unwrap_or((rest, ""));
    let blocker = |word: &str| match word.strip_prefix('#') {
        Some(index) => Blocker::Index(index.parse().unwrap()),
        None => Blocker::Bead(bead_id(word)),
    };
    NewTask {
        bead_id: Some(bead_id(name)),
        rig_id: rig(rig_name),
        fields: TaskFields { title: name.to_owned(), ..TaskFields::default() },
        after: after.split(',').filter(|word| !word.is_empty()).map(blocker).collect(),
    }
}

fn ids(names: &[&str]) -> Vec<BeadId> {
    names.iter().map(|name| bead_id(name)).collect()
}

pub(super) fn convoy(name: &str) -> ConvoyId {
    ConvoyId::from_u128((0xc000_0000 + name[1..].parse::<u128>().unwrap()) << 96)
}

fn convoy_name(id: ConvoyId) -> String {
    format!("c{}", id.short().trim_start_matches('c').trim_start_matches('0'))
}

/// What a rig is told, in words.
pub(super) fn message(message: &TownToRig) -> String {
    let names = |ids: &[BeadId]| ids.iter().map(|id| bead_name(*id)).collect::<Vec<_>>().join(" ");
    match message {
        TownToRig::CreateBeads(order) => {
            let made: Vec<BeadId> = order.beads.iter().map(|bead| bead.bead_id).collect();
            let mut words = vec!["makes".to_owned(), names(&made)];
            if !order.joins.is_empty() {
                words.push(format!("joins {}", names(&order.joins)));
            }
            if order.staged {
                words.push("staged".to_owned());
            }
            words.push(format!("on {}", order.feature_branch.as_deref().unwrap_or("the merge target")));
            for edge in &order.edges {
                let how = if edge.cross { "across" } else { "after" };
                words.push(format!(
                    "[{} {how} {}: {}]",
                    bead_name(edge.bead_id),
                    bead_name(edge.blocker_id),
                    edge.state
                ));
            }
            words.retain(|word| !word.is_empty());
            words.join(" ")
        }
        TownToRig::StartBeads { bead_ids, .. } => format!("starts {}", names(bead_ids)),
        TownToRig::SkipBead { bead_id, .. } => format!("skips {}", bead_name(*bead_id)),
        TownToRig::RetryBeads { bead_ids, .. } => format!("retries {}", names(bead_ids)),
        TownToRig::CancelBeads(order) => {
            let of = |id: &BeadId| if bead_name(*id).len() < 6 { bead_name(*id) } else { "the landing".to_owned() };
            let names: Vec<String> = order.bead_ids.iter().map(of).collect();
            format!("cancels {} ({})", names.join(" "), order.how)
        }
        TownToRig::GateOpened { bead_id, blocker_id, waived } => {
            let how = if *waived { " (waived)" } else { "" };
            format!("gate of {} on {} opened{how}", bead_name(*bead_id), bead_name(*blocker_id))
        }
        TownToRig::GateFailed { bead_id, blocker_id } => {
            format!("gate of {} on {} failed", bead_name(*bead_id), bead_name(*blocker_id))
        }
        TownToRig::GatePending { bead_id, blocker_id } => {
            format!("gate of {} on {} pending", bead_name(*bead_id), bead_name(*blocker_id))
        }
        TownToRig::OpenLanding(order) => format!("lands {} into {}", order.branch, order.target),
        other @ (TownToRig::Configure(_)
        | TownToRig::GrantSlot { .. }
        | TownToRig::TownState(_)
        | TownToRig::DeliverMail(_)
        | TownToRig::WrapUp { .. }
        | TownToRig::RunTriage { .. }
        | TownToRig::EscalationAnswered(_)
        | TownToRig::AdoptBead(_)
        | TownToRig::Ping) => panic!("no message about convoys: {other:?}"),
    }
}
