//! Merge and gates jobs on real repositories: the target never moves unless the answer is "merged".

use serde_json::{Value, json};

use crate::support::{Town, new_id};

/// Runs a merge and compares status and whether the target moved.
async fn check(town: &Town, order: &Value, status: &str, moved: bool) -> Value {
    let before = town.repo.head("refs/heads/main");
    let fact = town.run_job(order).await;
    assert_eq!(fact["status"], status, "{fact}\n{}", town.runtime.log());
    assert_eq!(town.repo.head("refs/heads/main") != before, moved, "{fact}");
    assert_ne!(fact["message"], "");
    fact
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_branch_is_merged_with_two_parents_once() {
    let town = Town::start("merge").await;
    let base = town.repo.head("refs/heads/main").unwrap();
    let commit = town.repo.commit("polecat/toast/1", "a.txt", "a\n");
    let order = town.merge_order(&commit, &["test -f a.txt", "test -f README.md"]);
    let fact = check(&town, &order, "merged", true).await;
    let merge = town.repo.head("refs/heads/main").unwrap();
    assert_eq!(fact["merge_commit"], json!(merge));
    assert_eq!(town.repo.git(&["log", "-1", "--format=%P", &merge]), format!("{base} {commit}"));
    let message = town.repo.git(&["log", "-1", "--format=%B", &merge]);
    assert!(message.starts_with("Merge a greeting\n\nGastown-Bead: "), "{message}");
    assert_eq!(fact["results"].as_array().unwrap().len(), 2);
    // The same order again is known; another order for the same commit finds it merged.
    let (status, again) = town.runtime.post(&town.path("/jobs"), &order).await;
    assert_eq!((status, &again["data"]["phase"]), (200, &json!("ended")));
    town.repo.commit("main", "later.txt", "later\n");
    let fact = check(&town, &town.merge_order(&commit, &["false"]), "merged", false).await;
    assert_eq!(fact["merge_commit"], json!(merge));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_merged_leaves_the_target_alone() {
    let town = Town::start("refused").await;
    let commit = town.repo.commit("polecat/toast/1", "README.md", "ours\n");
    let red = check(&town, &town.merge_order(&commit, &["true", "! grep -q ours README.md"]), "gates_red", false).await;
    assert_eq!(red["results"][1]["status"], "failed");
    check(&town, &town.merge_order(&commit, &["false"]), "target_red", false).await;
    check(&town, &town.merge_order(&"1".repeat(40), &[]), "no_commit", false).await;
    let slow = check(&town, &town.merge_order(&commit, &["echo $HOME; exit 3"]), "target_red", false).await;
    assert_eq!(slow["results"][0]["exit_code"], 3);
    town.repo.hook("update", "#!/bin/sh\necho 'main is protected' >&2\nexit 1\n");
    let refused = check(&town, &town.merge_order(&commit, &[]), "push_refused", false).await;
    assert!(refused["message"].as_str().unwrap().contains("hook declined"), "{refused}");
    std::fs::remove_file(town.repo.path.join("hooks/update")).unwrap();
    town.repo.commit("main", "README.md", "theirs\n");
    let conflict = check(&town, &town.merge_order(&commit, &[]), "conflict", false).await;
    assert_eq!(conflict["files"], json!(["README.md"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_moves_is_merged_into_again() {
    let town = Town::start("moving").await;
    let commit = town.repo.commit("polecat/toast/1", "a.txt", "a\n");
    let other = town.repo.commit("other", "b.txt", "b\n");
    // The gate itself moves the target, the first time it runs.
    let path = town.repo.path.display();
    let moves = format!("git -C {path} update-ref refs/heads/main {other} || exit 1");
    let fact = check(&town, &town.merge_order(&commit, &[&moves]), "merged", true).await;
    assert_eq!(fact["tries"], 2, "{fact}");
    let merge = fact["merge_commit"].as_str().unwrap();
    assert_eq!(town.repo.git(&["log", "-1", "--format=%P", merge]), format!("{other} {commit}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_always_moves_is_given_up() {
    let town = Town::start("restless").await;
    let commit = town.repo.commit("polecat/toast/1", "a.txt", "a\n");
    let path = town.repo.path.display();
    let moves = format!(
        "cd {path} && t=$(git rev-parse main^{{tree}}) && c=$(git -c user.name=x -c user.email=x commit-tree $t -p main -m m) \
         && git update-ref refs/heads/main $c"
    );
    let fact = town.run_job(&town.merge_order(&commit, &[&moves])).await;
    assert_eq!(fact["status"], "target_moved", "{fact}");
    assert!(town.repo.git(&["log", "--format=%H", "main"]).lines().all(|line| line != commit));
}

#[tokio::test(flavor = "multi_thread")]
async fn gates_run_in_a_clean_checkout_without_a_capability() {
    let town = Town::start("gates").await;
    let commit = town.repo.commit("polecat/toast/1", "a.txt", "a\n");
    let mut order = town.merge_order(&commit, &[]);
    order["kind"] = json!("gates");
    order["job_id"] = json!(new_id());
    order["gates"] =
        json!(["env | sort; pwd; git status --porcelain; git remote -v", "test -z \"$GASTOWN_SESSION_TOKEN\""]);
    order["env"] = json!({ "TOWN_SECRET": "hush-hush-hush" });
    let fact = town.run_job(&order).await;
    assert_eq!((fact["status"].as_str(), &fact["commit"]), (Some("green"), &json!(commit)), "{fact}");
    let output = fact["results"][0]["output_tail"].as_str().unwrap();
    assert!(output.contains("TOWN_SECRET=«redacted»") && !output.contains("GASTOWN_"), "{output}");
    let mut by_branch = order.clone();
    by_branch["job_id"] = json!(new_id());
    by_branch["commit"] = Value::Null;
    by_branch["gates"] = json!([]);
    let fact = town.run_job(&by_branch).await;
    assert_eq!((fact["status"].as_str(), &fact["commit"]), (Some("green"), &json!(commit)), "{fact}");
    let mut onto = order.clone();
    onto["job_id"] = json!(new_id());
    onto["onto"] = json!("main");
    onto["gates"] = json!(["test ! -f a.txt"]);
    assert_eq!(town.run_job(&onto).await["status"], "red");
}
