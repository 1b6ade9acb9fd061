//! The control API: who may call it, what it refuses, what it repeats.

use serde_json::{Value, json};

use crate::support::model::Model;
use crate::support::worker::Worker;
use crate::support::{Runtime, SECRET, Town, new_dir, new_id};

#[tokio::test(flavor = "multi_thread")]
async fn only_the_control_secret_opens_anything() {
    let runtime = Runtime::start(new_dir("secret"), &[]).await;
    let http = reqwest::Client::new();
    let health = http.get(format!("{}/health", runtime.base)).send().await.unwrap();
    assert_eq!(health.json::<Value>().await.unwrap(), json!({ "status": "ok" }));
    let (status, health) = runtime.get("/health").await;
    assert_eq!((status, health["agents"].as_u64(), health["protocol"].as_u64()), (200, Some(0), Some(1)));
    for token in ["", "gtc_x", &SECRET[1..]] {
        let reply = http.get(format!("{}/towns/{}", runtime.base, new_id())).bearer_auth(token).send().await.unwrap();
        assert_eq!(reply.status(), 401);
    }
    assert_eq!(runtime.get("/nowhere").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn attach_registers_and_beats() {
    let dir = new_dir("attach");
    let worker = Worker::start(&Model::start().await.base).await;
    let runtime = Runtime::start(dir, &[]).await;
    let path = format!("/towns/{}", worker.town);
    let mut wrong = runtime.attach_body(&worker);
    wrong["instance_id"] = json!(new_id());
    assert_eq!(runtime.call("PUT", &path, Some(&wrong)).await.1["code"], "instance_mismatch");
    let mut wrong = runtime.attach_body(&worker);
    wrong["protocol"] = json!(99);
    assert_eq!(runtime.call("PUT", &path, Some(&wrong)).await.1["code"], "protocol_unsupported");
    let (status, reply) = runtime.get(&path).await;
    assert_eq!((status, &reply["code"]), (409, &json!("town_not_attached")));
    worker.answer_with(
        "/runtime/heartbeat",
        200,
        json!({ "success": true, "data": { "config_version": 1, "drainNonce": "n1" } }),
    );
    runtime.attach(&worker).await;
    runtime.until("three heartbeats", async |_| (worker.calls("/runtime/heartbeat").len() >= 3).then_some(())).await;
    assert_eq!(worker.calls("/runtime/register").len(), 1);
    let ready = worker.calls("/container-ready");
    assert_eq!((ready.len(), &ready[0].body["nonce"]), (1, &json!("n1")));
    assert!(worker.calls("/runtime/heartbeat").iter().all(|call| call.token == "Bearer container-token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_with_faults_is_refused_whole() {
    let town = Town::start("faults").await;
    let check = async |change: &dyn Fn(&mut Value), status: u16, code: &str| {
        let mut order = town.work_order("polecat/toast/1");
        change(&mut order);
        let (got, reply) = town.runtime.post(&town.path("/assignments"), &order).await;
        assert_eq!((got, reply["code"].as_str()), (status, Some(code)), "{reply}");
    };
    check(&|order| order["branch"] = json!("-f"), 422, "unsupported_value").await;
    check(&|order| order["branch"] = json!("x.lock"), 422, "unsupported_value").await;
    check(&|order| order["branch"] = json!("main"), 422, "unsupported_value").await;
    check(&|order| order["branch"] = json!("convoy/x/1/head"), 422, "unsupported_value").await;
    check(&|order| order["role"] = json!("refinery"), 422, "unsupported_value").await;
    check(&|order| order["repo"]["git_url"] = json!("ssh://git@h.x/r"), 422, "unsafe_url").await;
    check(&|order| order["env"] = json!({ "LD_PRELOAD": "x" }), 422, "reserved_name").await;
    check(&|order| order["env"] = json!({ "GIT_DIR": "x" }), 422, "reserved_name").await;
    check(&|order| order["model"] = json!("no//good"), 422, "bad_model_id").await;
    check(&|order| order["assignment"]["agent_id"] = json!("x"), 400, "invalid_request").await;
    check(&|order| order["kind"] = json!("dance"), 400, "invalid_request").await;
    check(&|order| order["instance_id"] = json!(new_id()), 409, "instance_mismatch").await;
    let sessions = town.runtime.dir.join("data/towns").join(&town.worker.town).join("sessions");
    assert!(!sessions.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_ends_the_start_with_one_line() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_gastown-container")).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.starts_with("gastown-container: GASTOWN_CONTROL_SECRET") && words.lines().count() == 1, "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_looked_at_without_writing() {
    let town = Town::start("check").await;
    let check = async |rig: &str, url: &str, branch: &str| -> Value {
        let path = town.path(&format!("/rigs/{rig}/check"));
        let (status, reply) = town.runtime.post(&path, &json!({ "git_url": url, "default_branch": branch })).await;
        assert_eq!(status, 202, "{reply}");
        town.runtime
            .until("the repo fact", async |_| town.worker.facts().into_iter().find(|fact| fact["rig_id"] == rig))
            .await
    };
    let before = town.repo.git(&["for-each-ref"]);
    let good = check(&new_id(), &town.repo.url(), "main").await;
    assert_eq!((&good["state"], &good["can_push"]), (&json!("ready"), &json!(true)), "{good}");
    let base = check(&new_id(), &town.repo.url(), "trunk").await;
    assert_eq!((&base["state"], &base["code"]), (&json!("failed"), &json!("base_missing")), "{base}");
    let gone = check(&new_id(), "file:///nowhere/x.git", "main").await;
    assert_eq!((&gone["state"], &gone["code"]), (&json!("failed"), &json!("repo_not_found")), "{gone}");
    assert_eq!(town.repo.git(&["for-each-ref"]), before);
    let path = town.path(&format!("/rigs/{}/check", new_id()));
    let (status, reply) = town.runtime.post(&path, &json!({ "git_url": "git@h:x", "default_branch": "main" })).await;
    assert_eq!((status, &reply["code"]), (422, &json!("unsafe_url")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_worker_of_one_town_delays_no_other() {
    let model = Model::start().await;
    let (slow, quick) = (Worker::start(&model.base).await, Worker::start(&model.base).await);
    slow.answer_with("/runtime/register", 503, json!({ "success": false, "error": "no", "code": "overloaded" }));
    let runtime = Runtime::start(new_dir("two-towns"), &[]).await;
    let body = runtime.attach_body(&slow);
    let (status, reply) = runtime.call("PUT", &format!("/towns/{}", slow.town), Some(&body)).await;
    assert_eq!((status, &reply["data"]["state"]), (200, &json!("attaching")));
    runtime.attach(&quick).await;
    runtime.until("heartbeats", async |_| (quick.calls("/runtime/heartbeat").len() >= 2).then_some(())).await;
    assert!(slow.calls("/runtime/heartbeat").is_empty());
    let order = json!({ "job_id": new_id(), "kind": "gates", "rig_id": new_id(), "timeout_minutes": 1, "commit": "1".repeat(40),
        "repo": { "git_url": "file:///nowhere", "default_branch": "main", "target_branch": "main" } });
    let (status, reply) = runtime.post(&format!("/towns/{}/jobs", slow.town), &order).await;
    assert_eq!((status, &reply["code"]), (503, &json!("starting")));
}
