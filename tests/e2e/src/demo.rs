//! The main job as a demonstration: a repository, a town and a rig; a task typed to the mayor; its way to a merge.
//!
//! `cargo xtask demo` calls [`Demo::prepare`] against a running stack and prints the address; `--once` then calls
//! [`Demo::run`], prints the [`Timeline`] (its `Display` has one line per stage) and exits 0, or prints the
//! [`Stopped`] (where, why, and by [`Stage::log`] whose log tells more) and exits 1. Nothing is started or ended here.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use gastown_core::text_enum;
use gastown_core::time::Timestamp;
use serde_json::{Value, json};

use crate::api::{Api, items, text};
use crate::recording::Recording;
use crate::repository::Repository;
use crate::wait::{Look, until};

/// What `cargo xtask demo --once` asks for.
pub const MESSAGE: &str = "Add a function that reverses a string";

/// Two kilo sessions and a merge take some twenty seconds with the scripted model; a real one thinks for minutes.
pub const LIMIT: Duration = Duration::from_secs(15 * 60);

/// The branch that work is merged into.
const TARGET: &str = "main";

text_enum! {
    /// The stages of the main job, in their order.
    pub enum Stage {
        Message = "message",
        Slung = "slung",
        AgentStarted = "agent started",
        FirstModelCall = "first model call",
        Pushed = "pushed",
        Reviewed = "reviewed",
        Merged = "merged",
        Closed = "closed",
    }
}

impl Stage {
    /// Which process's log tells why this stage was not reached.
    pub const fn log(self) -> &'static str {
        match self {
            Self::Message | Self::Closed => "worker",
            Self::Slung | Self::AgentStarted | Self::FirstModelCall | Self::Pushed | Self::Reviewed | Self::Merged => {
                "runtime"
            }
        }
    }
}

/// When each stage was reached, and what was merged.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    moments: Vec<(Stage, Timestamp)>,
    /// The agent that did the work.
    pub agent: String,
    /// The task.
    pub bead_id: String,
    /// The branch it was done on.
    pub branch: String,
    /// The merge commit on the remote's default branch.
    pub merge_commit: String,
    /// Paths that the merge changed.
    pub changed: Vec<String>,
}

/// The job did not come to its end.
#[derive(Debug)]
pub struct Stopped {
    /// The stage that was not reached.
    pub stage: Stage,
    /// Why, as far as it can be seen from outside.
    pub reason: anyhow::Error,
    /// What was reached before.
    pub timeline: Timeline,
}

/// A town with one rig on a fresh repository.
pub struct Demo {
    api: Api,
    /// The town.
    pub town_id: String,
    /// Its rig.
    pub rig_id: String,
    /// The rig's remote.
    pub repository: Repository,
    recording: Option<Recording>,
}

impl Demo {
    /// Makes the remote below `directory`, the town and the rig. `model_url` is the address of the scripted model, if
    /// one is used: its recording tells when it was first asked.
    pub fn prepare(api: &Api, directory: &Path, model_url: Option<&str>) -> Result<Self> {
        let town = api.post("/api/towns", &json!({"name": "Demo"})).context("could not make the town")?;
        let town_id = text(&town, "id")?.to_owned();
        // Named after the town, so that a directory that is kept can hold the remotes of many.
        let directory = directory.join(&town_id);
        std::fs::create_dir_all(&directory).with_context(|| format!("could not make {}", directory.display()))?;
        let repository = Repository::create(&directory, "words")?;
        let rig = json!({
            "name": "words",
            "git_url": repository.url(),
            "default_branch": TARGET,
            "purpose": "Small shell functions about text",
        });
        let rig = api.post(&format!("/api/towns/{town_id}/rigs"), &rig).context("could not make the rig")?;
        let rig_id = text(&rig, "id")?.to_owned();
        Ok(Self { api: api.clone(), town_id, rig_id, repository, recording: model_url.map(Recording::of) })
    }

    /// Sends the message to the mayor, follows the task until it is closed, and verifies with git that the merge is
    /// on the remote's default branch, contains the branch's work, and passes the repository's own tests.
    pub fn run(&self, message: &str, limit: Duration) -> Result<Timeline, Box<Stopped>> {
        let mut timeline = Timeline::default();
        let done = self.follow(message, limit, &mut timeline);
        match done.and_then(|base| self.verify(&base, &mut timeline)) {
            Ok(()) => Ok(timeline),
            Err(reason) => Err(Box::new(Stopped { stage: timeline.next(), reason, timeline })),
        }
    }

    /// Returns the commit that the default branch was at before.
    fn follow(&self, message: &str, limit: Duration, timeline: &mut Timeline) -> Result<String> {
        let base = self.repository.head(TARGET)?.context("the remote has no default branch")?;
        let known: BTreeSet<String> = self.tasks()?.iter().map(|bead| bead["bead_id"].to_string()).collect();
        timeline.reach(Stage::Message, now());
        self.api
            .post(&self.path("/mayor/message"), &json!({"message": message}))
            .context("the mayor did not answer")?;
        until("the task to be closed", limit, || {
            let Some(bead) = self.tasks()?.into_iter().find(|bead| !known.contains(&bead["bead_id"].to_string()))
            else {
                return Ok(Look::NotYet("the mayor has slung no task".to_owned()));
            };
            self.look(&bead, &base, timeline)?;
            match text(&bead, "status")? {
                "closed" => {
                    timeline.reach(Stage::Closed, instant(&bead, "closed_at").unwrap_or_else(now));
                    Ok(Look::Found(base.clone()))
                }
                "failed" => bail!("the task failed: {}", bead["failure"]),
                status => Ok(Look::NotYet(format!("the task is {status}, {}", waits(&bead)))),
            }
        })
    }

    /// One look at everything that shows how far the task is.
    fn look(&self, bead: &Value, base: &str, timeline: &mut Timeline) -> Result<()> {
        let bead_id = text(bead, "bead_id")?;
        bead_id.clone_into(&mut timeline.bead_id);
        timeline.reach(Stage::Slung, instant(bead, "created_at").unwrap_or_else(now));
        if let Some(name) = bead["assignee_name"].as_str() {
            name.clone_into(&mut timeline.agent);
        }
        if let Some(branch) = bead["branch"].as_str() {
            branch.clone_into(&mut timeline.branch);
        }
        if !timeline.has(Stage::AgentStarted)
            && let Some(at) = self.started_at(bead_id)?
        {
            timeline.reach(Stage::AgentStarted, at);
        }
        if !timeline.has(Stage::FirstModelCall)
            && let Some(at) = self.first_model_call(bead)?
        {
            timeline.reach(Stage::FirstModelCall, at);
        }
        let head = if timeline.branch.is_empty() { None } else { self.repository.head(&timeline.branch)? };
        if head.is_some_and(|head| head != base) {
            timeline.reach(Stage::Pushed, now());
        }
        for (stage, event_type) in [(Stage::Reviewed, "review_completed"), (Stage::Merged, "merged")] {
            if !timeline.has(stage)
                && let Some(at) = self.happened_at(event_type)?.filter(|&at| timeline.began_before(at))
            {
                timeline.reach(stage, at);
            }
        }
        Ok(())
    }

    fn tasks(&self) -> Result<Vec<Value>> {
        items(self.api.get(&self.path("/beads?type=issue"))?)
    }

    fn started_at(&self, bead_id: &str) -> Result<Option<Timestamp>> {
        let assignments = items(self.api.get(&self.path(&format!("/beads/{bead_id}/assignments")))?)?;
        Ok(assignments.iter().rev().find_map(|assignment| instant(assignment, "running_at")))
    }

    /// By the scripted model's recording, else by the first tokens that were counted.
    fn first_model_call(&self, bead: &Value) -> Result<Option<Timestamp>> {
        match &self.recording {
            Some(recording) => {
                let entries = recording.after(0)?;
                let polecats = entries.iter().filter(|entry| entry["role"] == "polecat");
                let first = polecats.into_iter().find(|entry| entry["bead_id"] == bead["bead_id"]);
                Ok(first.and_then(|entry| instant(entry, "at")))
            }
            None => Ok((bead["tokens"]["output"].as_u64().unwrap_or(0) > 0).then(now)),
        }
    }

    /// The newest event of this type; the demo's town has one task at a time.
    fn happened_at(&self, event_type: &str) -> Result<Option<Timestamp>> {
        let events = items(self.api.get(&self.path(&format!("/events?type={event_type}&limit=1")))?)?;
        Ok(events.first().and_then(|event| instant(event, "created_at")))
    }

    fn verify(&self, base: &str, timeline: &mut Timeline) -> Result<()> {
        if let Some(missing) = Stage::ALL.iter().find(|&&stage| !timeline.has(stage)) {
            bail!("the task closed, but was never seen {missing}");
        }
        let merge = self.repository.head(TARGET)?.context("the default branch is gone")?;
        let work = self.repository.head(&timeline.branch)?.context("the work branch is gone")?;
        let parents = self.repository.parents(&merge)?;
        if parents.len() != 2 || !parents.contains(&work) {
            bail!("{merge} on {TARGET} is no merge of {} at {work}", timeline.branch);
        }
        timeline.changed = self.repository.changed(base, &merge)?;
        if timeline.changed.is_empty() {
            bail!("the merge {merge} changes nothing");
        }
        self.repository.test(&merge)?;
        timeline.merge_commit = merge;
        Ok(())
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/towns/{}{rest}", self.town_id)
    }
}

impl Timeline {
    /// Milliseconds from the message to this stage.
    pub fn ms(&self, stage: Stage) -> Option<u64> {
        let at = |wanted| self.moments.iter().find(|(stage, _)| *stage == wanted).map(|(_, at)| *at);
        let span = at(stage)?.since(at(Stage::Message)?);
        Some(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }

    fn has(&self, stage: Stage) -> bool {
        self.moments.iter().any(|(reached, _)| *reached == stage)
    }

    fn reach(&mut self, stage: Stage, at: Timestamp) {
        if !self.has(stage) {
            self.moments.push((stage, at));
        }
    }

    /// Whether an instant belongs to this run, and not to an earlier one in the same town.
    fn began_before(&self, at: Timestamp) -> bool {
        self.moments.first().is_some_and(|(_, began)| *began <= at)
    }

    /// The first stage that was not reached; the last one if all were.
    fn next(&self) -> Stage {
        Stage::ALL.iter().copied().find(|&stage| !self.has(stage)).unwrap_or(Stage::Closed)
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &stage in Stage::ALL {
            match self.ms(stage) {
                Some(ms) => writeln!(f, "{ms:>8} ms  {stage}{}", self.note(stage))?,
                None => writeln!(f, "       –     {stage}")?,
            }
        }
        Ok(())
    }
}

impl Timeline {
    fn note(&self, stage: Stage) -> String {
        match stage {
            Stage::Slung => format!(" (bead {})", self.bead_id),
            Stage::AgentStarted => format!(" ({})", self.agent),
            Stage::Pushed => format!(" ({})", self.branch),
            Stage::Merged if !self.merge_commit.is_empty() => {
                format!(" ({}: {})", &self.merge_commit[..self.merge_commit.len().min(10)], self.changed.join(", "))
            }
            Stage::Message | Stage::FirstModelCall | Stage::Reviewed | Stage::Merged | Stage::Closed => String::new(),
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}stopped before: {}\n{:#}", self.timeline, self.stage, self.reason)
    }
}

impl std::error::Error for Stopped {}

fn instant(value: &Value, field: &str) -> Option<Timestamp> {
    value[field].as_str()?.parse().ok()
}

fn waits(bead: &Value) -> String {
    match bead["wait"]["message"].as_str() {
        Some(message) => format!("which waits: {message}"),
        None => format!("worked on by {}", bead["assignee_name"].as_str().unwrap_or("nobody")),
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_shows_what_was_reached_and_what_was_not() {
        let mut timeline = Timeline { agent: "Toast".to_owned(), ..Timeline::default() };
        timeline.reach(Stage::Message, Timestamp::from_ms(1_000));
        timeline.reach(Stage::AgentStarted, Timestamp::from_ms(2_500));
        timeline.reach(Stage::AgentStarted, Timestamp::from_ms(9_000));
        assert_eq!(timeline.ms(Stage::AgentStarted), Some(1_500));
        assert_eq!(timeline.next(), Stage::Slung);
        let shown = timeline.to_string();
        assert!(shown.contains("    1500 ms  agent started (Toast)\n"), "{shown}");
        assert!(shown.contains("–     closed\n"), "{shown}");
    }
}
