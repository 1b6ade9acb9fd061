//! Sessions with the real kilo (★).

use serde_json::{Value, json};

use crate::support::model::{Step, bash, tool};
use crate::support::{Town, kilo_or_skip, processes_of};

fn id(order: &Value) -> String {
    order["assignment"]["assignment_id"].as_str().unwrap().to_owned()
}

/// What the agent's tools answered.
fn results(request: &Value) -> String {
    let messages = request["messages"].as_array().unwrap();
    messages.iter().filter(|message| message["role"] == "tool").map(|message| message["content"].to_string()).collect()
}

async fn outcome(town: &Town, assignment: &str) -> Value {
    town.runtime
        .until("the outcome", async |_| {
            let story = town.worker.story(assignment);
            assert!(!story.contains(&"start_failed".to_owned()), "{:?}\n{}", town.worker.facts(), town.runtime.log());
            town.worker.outcomes().into_iter().find(|outcome| outcome["ref"]["assignment_id"] == assignment)
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_work_order_becomes_a_pushed_commit_and_a_result() {
    if kilo_or_skip("a_work_order_becomes_a_pushed_commit_and_a_result").is_none() {
        return;
    }
    let town = Town::start("work").await;
    town.model.follow(vec![
        bash("echo hi > greeting.txt && git add -A && git commit -qm 'Add a greeting' && git push 2>&1"),
        tool("gt_done"),
    ]);
    let order = town.work_order("polecat/toast/1");
    let (status, reply) = town.runtime.post(&town.path("/assignments"), &order).await;
    assert_eq!(status, 202, "{reply}");
    let end = outcome(&town, &id(&order)).await;
    assert_eq!(end["outcome"], "completed", "{end}\n{}", town.runtime.log());
    let head = town.repo.head("refs/heads/polecat/toast/1").expect("the branch is on the remote");
    let done = town.worker.calls("/done");
    assert_eq!(done.len(), 1);
    assert_eq!((done[0].method.as_str(), done[0].token.as_str()), ("POST", "Bearer agent-token"));
    assert!(!done[0].key.is_empty());
    assert_eq!(done[0].body["commit"], json!(head));
    assert_eq!(done[0].body["files"], json!(["greeting.txt"]));
    assert_eq!(
        town.worker.story(&id(&order)),
        ["accepted", "cloning", "worktree", "booting", "running", "pushed", "finishing"]
    );
    let requests = town.model.requests();
    assert!(requests.iter().all(|(key, request)| key == "Bearer model-key-0123" && request["model"] == "vendor/main"));
    assert_eq!(end["tokens"]["output"].as_u64(), Some(10 * requests.len() as u64));
    assert_eq!(town.repo.git(&["log", "-1", "--format=%an <%ae>", &head]), "Toast <toast@agents.gastown.invalid>");
    assert_eq!(processes_of(&id(&order)), Vec::<i32>::new());
    let (status, again) = town.runtime.post(&town.path("/assignments"), &order).await;
    assert_eq!((status, &again["data"]["outcome"]), (200, &json!("completed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_restarted_in_place_and_the_work_goes_on() {
    if kilo_or_skip("a_killed_server_is_restarted_in_place_and_the_work_goes_on").is_none() {
        return;
    }
    let town = Town::start("killed").await;
    town.model
        .follow(vec![bash("echo one > one.txt && git add -A && git commit -qm one && git push -q 2>&1"), Step::Hang]);
    let order = town.work_order("polecat/toast/2");
    assert_eq!(town.runtime.post(&town.path("/assignments"), &order).await.0, 202);
    let view = town.path(&format!("/assignments/{}", id(&order)));
    town.runtime.until("the second request", async |_| (town.model.requests().len() >= 2).then_some(())).await;
    let before = town.runtime.get(&view).await.1["data"]["session_id"].clone();
    let pids = processes_of(&id(&order));
    assert!(!pids.is_empty());
    // From here on every request is answered by the end of the script.
    town.model.follow(vec![Step::Say("?"), tool("gt_done"), tool("gt_done"), tool("gt_done")]);
    for pid in pids {
        let _gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    }
    let end = outcome(&town, &id(&order)).await;
    assert_eq!(end["outcome"], "completed", "{end}\n{}", town.runtime.log());
    let after = town.runtime.get(&view).await.1["data"].clone();
    assert_eq!((&after["restarts"], &after["session_id"]), (&json!(1), &before));
    let last = town.model.requests().pop().unwrap().1["messages"].to_string();
    assert_eq!(last.matches("You were cut off").count(), 1, "{last}");
    assert!(!town.worker.calls("/done").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_saves_uncommitted_work_and_the_next_start_has_it() {
    if kilo_or_skip("a_stop_saves_uncommitted_work_and_the_next_start_has_it").is_none() {
        return;
    }
    let town = Town::start("stopped").await;
    let mess = "echo one > one.txt && git add -A && git commit -qm one && echo two > two.txt && echo x > .env && \
                echo changed > README.md";
    town.model.follow(vec![bash(mess), Step::Hang]);
    let mut order = town.work_order("polecat/toast/3");
    assert_eq!(town.runtime.post(&town.path("/assignments"), &order).await.0, 202);
    town.runtime.until("the second request", async |_| (town.model.requests().len() >= 2).then_some(())).await;
    let stop =
        json!({ "epoch": 1, "mode": "save", "reason": { "code": "budget", "message": "The budget is used up." } });
    let path = town.path(&format!("/assignments/{}/stop", id(&order)));
    let (status, reply) = town.runtime.post(&path, &stop).await;
    assert_eq!((status, &reply["data"]["phase"]), (202, &json!("finishing")), "{reply}");
    let end = outcome(&town, &id(&order)).await;
    assert_eq!((&end["outcome"], &end["dirty"]), (&json!("stopped"), &json!(true)), "{end}");
    assert_eq!(end["message"], "The budget is used up.");
    let branch = town.repo.head("refs/heads/polecat/toast/3").expect("commits were pushed");
    let facts = town.worker.facts();
    let saved = facts.iter().find(|fact| fact["type"] == "saved").expect("a saved fact");
    let commit = saved["commit"].as_str().unwrap();
    assert_eq!(town.repo.head(saved["branch"].as_str().unwrap()).as_deref(), Some(commit));
    assert!(saved["branch"].as_str().unwrap().starts_with("refs/gastown/wip/"), "{saved}");
    assert!(saved["reason"].as_str().unwrap().contains(".env"), "{saved}");
    assert_eq!(town.repo.git(&["diff", "--name-only", &branch, commit]), "README.md\ntwo.txt");
    assert_eq!(processes_of(&id(&order)), Vec::<i32>::new());
    // The next start of the bead gets the changes back, uncommitted.
    town.model.recorded.lock().unwrap().requests.clear();
    town.model.follow(vec![bash("git status --porcelain; git log --format=%s; cat two.txt"), Step::Hang]);
    order["assignment"]["assignment_id"] = json!(crate::support::new_id());
    order["assignment"]["epoch"] = json!(2);
    order["resume"] = json!({ "ref": saved["branch"], "commit": commit });
    assert_eq!(town.runtime.post(&town.path("/assignments"), &order).await.0, 202);
    town.runtime.until("the second request", async |_| (town.model.requests().len() >= 2).then_some(())).await;
    let request = town.model.requests()[1].1["messages"].to_string();
    assert!(
        request.contains(" M README.md") && request.contains("?? two.txt") && request.contains("restored"),
        "{request}"
    );
    // Epoch 1 of the agent is refused now; an equal order is known.
    let mut older = order.clone();
    older["assignment"]["assignment_id"] = json!(crate::support::new_id());
    older["assignment"]["epoch"] = json!(1);
    let (status, reply) = town.runtime.post(&town.path("/assignments"), &older).await;
    assert_eq!((status, &reply["code"], &reply["details"]["current_epoch"]), (409, &json!("stale_epoch"), &json!(2)));
    assert_eq!(town.runtime.post(&town.path("/assignments"), &order).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_saves_and_evicts_and_exits_with_success() {
    if kilo_or_skip("a_drain_saves_and_evicts_and_exits_with_success").is_none() {
        return;
    }
    let mut town = Town::start("drain").await;
    town.model.follow(vec![bash("echo two > two.txt"), Step::Hang]);
    let order = town.work_order("polecat/toast/4");
    assert_eq!(town.runtime.post(&town.path("/assignments"), &order).await.0, 202);
    town.runtime.until("the second request", async |_| (town.model.requests().len() >= 2).then_some(())).await;
    town.runtime.signal(nix::sys::signal::Signal::SIGTERM);
    town.runtime
        .until("draining", async |_| (!town.worker.calls("/container-eviction").is_empty()).then_some(()))
        .await;
    let (status, reply) = town.runtime.post(&town.path("/assignments"), &town.work_order("polecat/toast/5")).await;
    assert_eq!((status, &reply["code"]), (503, &json!("draining")));
    assert!(town.runtime.exited().await.success(), "{}", town.runtime.log());
    let end = outcome(&town, &id(&order)).await;
    assert_eq!(end["outcome"], "evicted", "{end}");
    let facts = town.worker.facts();
    let saved = facts.iter().find(|fact| fact["type"] == "saved").expect("a saved fact");
    assert!(town.repo.head(saved["branch"].as_str().unwrap()).is_some());
    assert_eq!(processes_of(&id(&order)), Vec::<i32>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_ends_the_session_as_an_auth_error() {
    if kilo_or_skip("a_refused_key_ends_the_session_as_an_auth_error").is_none() {
        return;
    }
    let town = Town::start("auth").await;
    town.model.follow(vec![Step::Fail(401)]);
    let order = town.work_order("polecat/toast/6");
    assert_eq!(town.runtime.post(&town.path("/assignments"), &order).await.0, 202);
    let end = outcome(&town, &id(&order)).await;
    assert_eq!((&end["outcome"], &end["error"]["kind"]), (&json!("error"), &json!("auth")), "{end}");
    assert_eq!(end["error"]["message"], "the gateway is down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_sees_the_exact_commit_and_a_rework_goes_on_from_it() {
    if kilo_or_skip("a_review_sees_the_exact_commit_and_a_rework_goes_on_from_it").is_none() {
        return;
    }
    let town = Town::start("review").await;
    let commit = town.repo.commit("polecat/toast/8", "greeting.txt", "hi\n");
    let mut review = town.work_order("polecat/toast/8");
    review["kind"] = json!("review");
    review["role"] = json!("refinery");
    review["commit"] = json!(commit);
    review.as_object_mut().unwrap().remove("branch");
    // The role's rules refuse `git push` by its words; the gateway refuses it however it is said.
    let look =
        "git diff --stat origin/main...HEAD; git rev-parse HEAD; sh -c 'git push origin HEAD:refs/heads/other 2>&1'";
    town.model.follow(vec![bash(look), tool("gt_approve")]);
    assert_eq!(town.runtime.post(&town.path("/assignments"), &review).await.0, 202);
    let end = outcome(&town, &id(&review)).await;
    assert_eq!(end["outcome"], "completed", "{end}\n{}", town.runtime.log());
    let verdicts = town.worker.calls("/verdict");
    assert_eq!((&verdicts[0].body["verdict"], &verdicts[0].body["commit"]), (&json!("approve"), &json!(commit)));
    let seen = results(&town.model.requests()[1].1);
    assert!(seen.contains("greeting.txt") && seen.contains(&commit), "{seen}");
    assert!(seen.contains("this session may not push") && town.repo.head("refs/heads/other").is_none(), "{seen}");
    assert_eq!(town.repo.head("refs/heads/polecat/toast/8").as_deref(), Some(commit.as_str()));
    // Somebody else goes on where the branch stands, though the target has moved.
    town.repo.commit("main", "other.txt", "x\n");
    town.model.recorded.lock().unwrap().requests.clear();
    town.model
        .follow(vec![bash("echo more >> greeting.txt && git commit -qam more && git push 2>&1"), tool("gt_done")]);
    let mut rework = town.work_order("polecat/toast/8");
    rework["kind"] = json!("rework");
    assert_eq!(town.runtime.post(&town.path("/assignments"), &rework).await.0, 202);
    let end = outcome(&town, &id(&rework)).await;
    assert_eq!(end["outcome"], "completed", "{end}\n{}", town.runtime.log());
    let parent = town.repo.git(&["log", "-1", "--format=%P", "refs/heads/polecat/toast/8"]);
    assert_eq!(parent, commit);
    let work = town.runtime.dir.join("data/towns").join(&town.worker.town).join("rigs").join(&town.rig).join("work");
    assert_eq!(std::fs::read_dir(work).unwrap().count(), 0, "worktrees are gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_polecats_work_side_by_side_and_both_merge() {
    if kilo_or_skip("two_polecats_work_side_by_side_and_both_merge").is_none() {
        return;
    }
    let town = Town::start("two").await;
    let write = "echo x > $(basename $GASTOWN_BRANCH).txt && git add -A && git commit -qm work && git push -q 2>&1";
    town.model.follow(vec![bash(write), tool("gt_done")]);
    let (toast, mut maple) = (town.work_order("polecat/toast/1"), town.work_order("polecat/maple/2"));
    maple["agent"] = json!({ "name": "Maple", "identity": "Maple-polecat-2" });
    let path = town.path("/assignments");
    // One order comes twice at the same moment: it makes one session.
    let (one, again, other) = tokio::join!(
        town.runtime.post(&path, &toast),
        town.runtime.post(&path, &toast),
        town.runtime.post(&path, &maple)
    );
    let mut statuses = [one.0, again.0];
    statuses.sort_unstable();
    assert_eq!((statuses, other.0), ([200, 202], 202));
    for order in [&toast, &maple] {
        let end = outcome(&town, &id(order)).await;
        assert_eq!(end["outcome"], "completed", "{end}\n{}", town.runtime.log());
    }
    assert_eq!(town.worker.calls("/done").len(), 2);
    for (branch, file) in [("polecat/toast/1", "1.txt"), ("polecat/maple/2", "2.txt")] {
        let commit = town.repo.head(&format!("refs/heads/{branch}")).unwrap();
        let fact = town.run_job(&town.merge_order(&commit, &[&format!("test -f {file}")])).await;
        assert_eq!(fact["status"], "merged", "{fact}");
    }
    assert_eq!(town.repo.git(&["ls-tree", "--name-only", "main"]), "1.txt\n2.txt\nREADME.md");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_town_leaves_nothing() {
    if kilo_or_skip("a_removed_town_leaves_nothing").is_none() {
        return;
    }
    let town = Town::start("removed").await;
    town.model.follow(vec![Step::Hang]);
    let order = town.work_order("polecat/toast/1");
    assert_eq!(town.runtime.post(&town.path("/assignments"), &order).await.0, 202);
    town.runtime.until("a request", async |_| (!town.model.requests().is_empty()).then_some(())).await;
    let (status, _) = town.runtime.call("DELETE", &town.path(""), Some(&json!({ "mode": "discard" }))).await;
    assert_eq!(status, 202);
    let dir = town.runtime.dir.join("data/towns").join(&town.worker.town);
    town.runtime.until("an empty folder", async |_| (!dir.exists()).then_some(())).await;
    assert_eq!(processes_of(&id(&order)), Vec::<i32>::new());
    assert_eq!(town.worker.outcomes()[0]["outcome"], "stopped");
    assert_eq!(town.runtime.get(&town.path("")).await.0, 409);
}
