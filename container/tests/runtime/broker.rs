//! What an agent can reach, and what it cannot (★: the agent's own shell asks).

use serde_json::{Value, json};

use crate::support::model::{Step, bash, tool};
use crate::support::{Town, kilo_or_skip, new_id};

/// Starts a session whose shell runs these commands one after the other; what each printed.
async fn outputs(town: &Town, order: &Value, commands: &[String]) -> Vec<String> {
    let mut script: Vec<Step> = commands.iter().map(|command| bash(command)).collect();
    script.push(Step::Hang);
    town.model.follow(script);
    let (status, reply) = town.runtime.post(&town.path("/assignments"), order).await;
    assert_eq!(status, 202, "{reply}");
    let count = commands.len();
    let last = town.runtime.until("the last request", async |_| town.model.requests().get(count).cloned()).await.1;
    let messages = last["messages"].as_array().unwrap();
    let results = messages.iter().filter(|message| message["role"] == "tool");
    results
        .map(|message| message["content"].as_str().map_or_else(|| message["content"].to_string(), str::to_owned))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polecat_pushes_its_own_branch_forward_and_nothing_else() {
    if kilo_or_skip("a_polecat_pushes_its_own_branch_forward_and_nothing_else").is_none() {
        return;
    }
    let town = Town::start("pushes").await;
    town.repo.commit("convoy/x/1/head", "c.txt", "c\n");
    let before = town.repo.git(&["for-each-ref"]);
    let order = town.work_order("polecat/toast/1");
    let own = "refs/heads/polecat/toast/1";
    let got = outputs(&town, &order, &[
        "git commit -q --allow-empty -m one && git push origin HEAD:main 2>&1".to_owned(),
        "git push origin +HEAD:refs/heads/convoy/x/1/head 2>&1".to_owned(),
        "git tag v1 && git push origin v1 2>&1".to_owned(),
        "git push origin HEAD:refs/heads/other 2>&1".to_owned(),
        "git push origin :main 2>&1".to_owned(),
        format!("git push origin HEAD:{own} 2>&1 && git remote -v && cat $(git rev-parse --git-common-dir)/config"),
        format!("git commit -q --amend --allow-empty -m two && git push origin +HEAD:{own} 2>&1"),
        format!("git push origin :{own} 2>&1"),
        format!("curl -s -o /dev/null -w '%{{http_code}}' $GASTOWN_API_URL/git/{}/info/refs?service=git-upload-pack -u x:$GASTOWN_SESSION_TOKEN", new_id()),
    ])
    .await;
    for refused in [0, 1, 2, 3, 4, 6, 7] {
        assert!(got[refused].contains("[remote rejected]"), "{refused}: {}", got[refused]);
    }
    assert!(got[0].contains(&format!("only {own} may be pushed")), "{}", got[0]);
    assert!(got[6].contains("not a fast-forward"), "{}", got[6]);
    assert!(got[5].contains("[new branch]") && !got[5].contains("gtc_"), "{}", got[5]);
    assert!(got[8].starts_with("403"), "{}", got[8]);
    let head = town.repo.head(own).expect("the own branch");
    let others: Vec<String> =
        town.repo.git(&["for-each-ref"]).lines().filter(|l| !l.contains(own)).map(str::to_owned).collect();
    assert_eq!(others.join("\n"), before);
    let pushed = town
        .runtime
        .until("the pushed fact", async |_| town.worker.facts().into_iter().find(|fact| fact["type"] == "pushed"));
    assert_eq!(pushed.await["commit"], json!(head));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capability_speaks_for_its_own_agent_only() {
    if kilo_or_skip("a_capability_speaks_for_its_own_agent_only").is_none() {
        return;
    }
    let town = Town::start("capability").await;
    let order = town.work_order("polecat/toast/1");
    let (rig, agent) = (&town.rig, order["assignment"]["agent_id"].as_str().unwrap());
    let post = |path: &str, more: &str| {
        format!(
            "curl -s -X POST {more} -H 'content-type: application/json' -d '{{\"agent_id\":\"x\",\"message\":\"m\"}}' \
             $GASTOWN_API_URL{path} -H \"authorization: Bearer $GASTOWN_SESSION_TOKEN\""
        )
    };
    let towns = format!("/api/towns/{}", town.worker.town);
    let got = outputs(
        &town,
        &order,
        &[
            post(&format!("{towns}/rigs/{rig}/agents/{}/done", new_id()), ""),
            post(&format!("{towns}/rigs/{}/agents/{agent}/done", new_id()), ""),
            post(&format!("/api/towns/{}/rigs/{rig}/agents/{agent}/done", new_id()), ""),
            post(&format!("/api/mayor/{}/tools/sling", town.worker.town), ""),
            post(&format!("{towns}/rigs/{rig}/agents/{agent}/verdict"), ""),
            post(&format!("{towns}/rigs/{rig}/agents/{agent}/status"), "-H 'origin: http://evil'"),
            "curl -s -o /dev/null -w '%{http_code}' $GASTOWN_API_URL/local/session".to_owned(),
            post(&format!("{towns}/rigs/{rig}/agents/{agent}/status"), ""),
            "touch left-over && env | cut -d= -f1 | sort | tr '\\n' ' '".to_owned(),
            post(&format!("{towns}/rigs/{rig}/agents/{agent}/done"), ""),
        ],
    )
    .await;
    for (at, code) in
        [(0, "wrong_agent"), (1, "wrong_rig"), (2, "wrong_town"), (3, "role_not_allowed"), (4, "role_not_allowed")]
    {
        assert!(got[at].contains(code), "{at}: {}", got[at]);
    }
    assert!(!got[5].contains("success") && got[6].starts_with("401"), "{} {}", got[5], got[6]);
    let statuses = town.worker.calls("/status");
    assert_eq!((statuses.len(), &statuses[0].body["agent_id"]), (1, &json!(agent)));
    assert!(
        got[9].contains("1 file is not committed: left-over") && town.worker.calls("/done").is_empty(),
        "{}",
        got[9]
    );
    assert!(town.worker.calls("/verdict").is_empty() && town.worker.calls("/sling").is_empty());
    // Nothing of the runtime's own environment is there.
    assert!(!got[8].contains("CONTROL_SECRET") && !got[8].contains("RUST_BACKTRACE"), "{}", got[8]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_account_ends_the_session_as_a_quota_error() {
    if kilo_or_skip("an_empty_account_ends_the_session_as_a_quota_error").is_none() {
        return;
    }
    let town = Town::start("failing").await;
    town.model.follow(vec![Step::Fail(402)]);
    let order = town.work_order("polecat/toast/1");
    assert_eq!(town.runtime.post(&town.path("/assignments"), &order).await.0, 202);
    let end = town.runtime.until("the outcome", async |_| town.worker.outcomes().pop()).await;
    assert_eq!((&end["outcome"], &end["error"]["kind"]), (&json!("error"), &json!("quota")), "{end}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_assignment_ends_the_session() {
    if kilo_or_skip("a_stale_assignment_ends_the_session").is_none() {
        return;
    }
    let town = Town::start("stale").await;
    let refusal = json!({ "success": false, "error": "over", "code": "stale_assignment" });
    town.worker.answer_with("/done", 409, refusal);
    town.model.follow(vec![tool("gt_done"), Step::Hang]);
    let order = town.work_order("polecat/toast/1");
    assert_eq!(town.runtime.post(&town.path("/assignments"), &order).await.0, 202);
    let end = town.runtime.until("the outcome", async |_| town.worker.outcomes().pop()).await;
    assert_eq!(end["outcome"], "stopped", "{end}");
}
