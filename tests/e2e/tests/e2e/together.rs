//! Several tasks at once: each polecat has its own process, worktree and branch, and the cap holds.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use gastown_e2e::api::text;

use crate::support::{Gate, World, kilo_of, scripted_task};

pub(crate) fn is_so(world: &World) -> Result<()> {
    let town = world.town("together")?;
    let gate = Gate::new(&town)?;
    let names = ["left", "right", "third"];
    let tasks = names.map(|name| town.task(&format!("Add {name}"), &scripted_task(&gate, name)));
    let slung = town.sling(&tasks)?;
    let agents: Vec<_> = slung.iter().map(|item| item["agent"]["name"].as_str()).collect();
    ensure!(agents == [Some("Toast"), Some("Maple"), None], "two slots, two agents: {slung:?}");
    ensure!(slung[2]["wait"]["code"] == "no_slot_rig", "the third says why it waits: {}", slung[2]);

    let mut places = Vec::new();
    for (item, name) in slung.iter().zip(&names[..2]) {
        gate.wait_for(name)?;
        let (bead, agent) = (&item["bead"], text(&item["agent"], "id")?);
        let kilo = kilo_of(agent)?.with_context(|| format!("no kilo of {}", item["agent"]))?;
        let branch = Command::new("git").args(["branch", "--show-current"]).current_dir(&kilo.directory).output();
        let branch = String::from_utf8_lossy(&branch.context("could not ask git")?.stdout).trim().to_owned();
        let id8 = text(bead, "bead_id")?.get(..8).context("a bead id")?;
        let expected = format!("polecat/{}/{id8}", text(&item["agent"], "name")?.to_lowercase());
        ensure!(branch == expected, "{} is on {branch}, not {expected}", kilo.directory.display());
        places.push(kilo.directory);
    }
    ensure!(places[0] != places[1], "two worktrees, not {}", places[0].display());
    let third = town.bead(text(&slung[2]["bead"], "bead_id")?)?;
    ensure!(third["status"] == "open" && third["wait"]["code"] == "no_slot_rig", "the cap holds: {third}");

    gate.open()?;
    for item in &slung {
        let bead = town.until_closed(text(&item["bead"], "bead_id")?)?;
        town.assert_merged(&bead)?;
    }
    let files = town.demo.repository.git(&["ls-tree", "-r", "--name-only", "main", "lib"])?;
    let files: Vec<_> = files.lines().collect();
    ensure!(files == ["lib/left.sh", "lib/right.sh", "lib/third.sh", "lib/trim.sh"], "on main: {files:?}");
    Ok(())
}
