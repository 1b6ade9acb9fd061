//! Processes that die in the middle of the work: nothing is lost, and the work is merged.

use anyhow::{Context as _, Result, ensure};
use gastown_e2e::api::{items, text};
use gastown_e2e::process::Process;
use gastown_e2e::wait::{Look, until};
use serde_json::Value;

use crate::support::{GATE_MAX, Gate, TASK_MAX, Town, World, kilo_of, scripted_task};

pub(crate) fn of_kilo(world: &World) -> Result<()> {
    let town = world.town("killed_kilo")?;
    let gate = Gate::new(&town)?;
    let slung = town.sling(&[town.task("Add survivor", &scripted_task(&gate, "survivor"))])?;
    let (bead_id, agent) = (text(&slung[0]["bead"], "bead_id")?, text(&slung[0]["agent"], "id")?);
    gate.wait_for("survivor")?;
    let first = kilo_of(agent)?.context("no kilo of the agent")?;
    first.kill()?;

    let second = until("another kilo for the agent", GATE_MAX, || {
        Ok(match kilo_of(agent)? {
            Some(kilo) if kilo.pid != first.pid => Look::Found(kilo),
            Some(_) => Look::NotYet("the killed one is still listed".to_owned()),
            None => Look::NotYet("no kilo".to_owned()),
        })
    })?;
    ensure!(!first.is_alive() && second.is_alive(), "{second:?} took the place of {first:?}");
    gate.open()?;
    let bead = town.until_closed(bead_id)?;
    ensure!(bead["branch"] == format!("polecat/toast/{}", &bead_id[..8]), "the branch was kept: {bead}");
    town.assert_merged(&bead)
}

pub(crate) fn of_workerd(world: &World) -> Result<()> {
    let town = world.town("killed_workerd")?;
    let gate = Gate::new(&town)?;
    let slung = town.sling(&[town.task("Add keeper", &scripted_task(&gate, "keeper"))])?;
    let bead_id = text(&slung[0]["bead"], "bead_id")?;
    gate.wait_for("keeper")?;
    let before = Kept::of(&town)?;
    let workerds = workerds(world)?;
    ensure!(!workerds.is_empty(), "a workerd runs");
    for workerd in &workerds {
        workerd.kill()?;
    }
    // The agent goes on meanwhile: its push and its `done` meet a Worker that is away.
    gate.open()?;

    let after = until("the Worker to answer again", TASK_MAX, || {
        Ok(match Kept::of(&town) {
            Ok(kept) => Look::Found(kept),
            Err(error) => Look::NotYet(format!("{error:#}")),
        })
    })?;
    ensure!(workerds.iter().all(|workerd| !workerd.is_alive()), "the killed processes are gone");
    before.assert_within(&after)?;
    let bead = town.until_closed(bead_id)?;
    town.assert_merged(&bead)?;
    before.assert_within(&Kept::of(&town)?)
}

pub(crate) fn of_runtime(world: &World) -> Result<()> {
    let town = world.town("killed_runtime")?;
    let gate = Gate::new(&town)?;
    let slung = town.sling(&[town.task("Add phoenix", &scripted_task(&gate, "phoenix"))])?;
    let (bead_id, agent) = (text(&slung[0]["bead"], "bead_id")?, text(&slung[0]["agent"], "id")?);
    gate.wait_for("phoenix")?;
    let kilo = kilo_of(agent)?.context("no kilo of the agent")?;
    let first = town.assignment(bead_id)?;
    let all = Process::descendants(world.stack_pid()?)?;
    let runtime = all.iter().find(|process| "gastown-container".starts_with(&process.name));
    runtime.context("no runtime runs")?.kill()?;
    gate.open()?;

    let bead = town.until_closed(bead_id)?;
    town.assert_merged(&bead)?;
    ensure!(!kilo.is_alive(), "no agent outlives its runtime: {kilo:?}");
    let assignments = town.assignments(bead_id)?;
    let ended = assignments.iter().find(|assignment| assignment["assignment_id"] == first["assignment_id"]);
    let outcome = ended.context("the first assignment is still told")?["outcome"].clone();
    ensure!(outcome == "evicted" || outcome == "lost", "the first attempt ended {outcome}");
    ensure!(assignments.len() > 1 && assignments[0]["outcome"] == "done", "another one did it: {assignments:?}");
    Ok(())
}

fn workerds(world: &World) -> Result<Vec<Process>> {
    let all = Process::descendants(world.stack_pid()?)?;
    Ok(all.into_iter().filter(|process| process.name == "workerd").collect())
}

/// What must survive: which rows there are, and what was ever told.
struct Kept {
    town: Value,
    rigs: Vec<Value>,
    beads: Vec<Value>,
    agents: Vec<Value>,
    events: Vec<Value>,
}

impl Kept {
    fn of(town: &Town) -> Result<Self> {
        let list = |path: &str| town.api.get(&town.path(path)).and_then(items);
        Ok(Self {
            town: town.api.get(&town.path(""))?["id"].clone(),
            rigs: ids(&list("/rigs")?, "id"),
            beads: ids(&list("/beads?limit=500")?, "bead_id"),
            agents: ids(&list("/agents")?, "id"),
            events: ids(&list("/events?limit=500")?, "bead_event_id"),
        })
    }

    fn assert_within(&self, later: &Self) -> Result<()> {
        ensure!(self.town == later.town, "the town is another one");
        let lists = [
            ("rigs", &self.rigs, &later.rigs),
            ("beads", &self.beads, &later.beads),
            ("agents", &self.agents, &later.agents),
            ("events", &self.events, &later.events),
        ];
        for (what, earlier, later) in lists {
            let lost: Vec<_> = earlier.iter().filter(|id| !later.contains(id)).collect();
            ensure!(lost.is_empty(), "{what} were lost: {lost:?}");
            let mut once = later.clone();
            once.sort_by_key(Value::to_string);
            once.dedup();
            ensure!(once.len() == later.len(), "{what} are there twice: {later:?}");
        }
        Ok(())
    }
}

fn ids(rows: &[Value], field: &str) -> Vec<Value> {
    rows.iter().map(|row| row[field].clone()).collect()
}
