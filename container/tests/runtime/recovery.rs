//! After a crash of the runtime on a kept disk (★): nothing of the old life runs, its work is saved and reported.

use serde_json::json;

use crate::support::model::{Step, bash};
use crate::support::{Runtime, Town, kilo_or_skip, processes_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_runtime_leaves_no_process_and_saves_the_work_later() {
    if kilo_or_skip("a_killed_runtime_leaves_no_process_and_saves_the_work_later").is_none() {
        return;
    }
    let mut town = Town::start("crash").await;
    town.model.follow(vec![bash("git commit -q --allow-empty -m one && echo two > two.txt"), Step::Hang]);
    let order = town.work_order("polecat/toast/7");
    assert_eq!(town.runtime.post(&town.path("/assignments"), &order).await.0, 202);
    town.runtime.until("the second request", async |_| (town.model.requests().len() >= 2).then_some(())).await;
    let assignment = order["assignment"]["assignment_id"].as_str().unwrap().to_owned();
    town.runtime.signal(nix::sys::signal::Signal::SIGKILL);
    assert!(!town.runtime.exited().await.success());
    let dir = town.runtime.dir.clone();
    let again = Runtime::start(dir, &[]).await;
    assert_ne!(again.instance, town.runtime.instance);
    again.until("no old process", async |_| processes_of(&assignment).is_empty().then_some(())).await;
    let (status, reply) = again.post(&town.path("/assignments"), &order).await;
    assert_eq!((status, &reply["code"]), (409, &json!("town_not_attached")));
    again.attach(&town.worker).await;
    let end = again.until("the outcome", async |_| town.worker.outcomes().pop()).await;
    assert_eq!((&end["outcome"], &end["ref"]["assignment_id"]), (&json!("evicted"), &json!(assignment)), "{end}");
    assert_eq!(town.repo.git(&["log", "-1", "--format=%s", "refs/heads/polecat/toast/7"]), "one");
    let facts = town.worker.facts();
    let saved = facts.iter().find(|fact| fact["type"] == "saved").expect("a saved fact");
    let files = town.repo.git(&["show", "--format=", "--name-only", saved["commit"].as_str().unwrap()]);
    assert_eq!(files, "two.txt", "{}", again.log());
}
