//! The mayor (★): starts without a prompt, hears each message once, keeps its conversation.

use serde_json::{Value, json};

use crate::support::model::{Step, tool};
use crate::support::{Town, kilo_or_skip, new_id};

fn order(town: &Town, agent: &str, epoch: u64) -> Value {
    json!({
        "instance_id": town.runtime.instance,
        "protocol": 1,
        "assignment": {
            "assignment_id": new_id(), "epoch": epoch, "rig_id": format!("mayor-{}", town.worker.town), "agent_id": agent,
            "bead_id": null,
        },
        "kind": "mayor",
        "role": "mayor",
        "agent": { "name": "Mayor", "identity": "mayor" },
        "title": "Mayor",
        "model": "vendor/main",
        "small_model": "vendor/small",
        "prompt": { "system": "# Gas Town role: mayor\nYou are the mayor." },
        "token": "mayor-token-0123",
        "token_expires_at": "2030-01-01T00:00:00.000Z",
    })
}

fn message(id: &str, text: &str, deliver: &str) -> Value {
    json!({ "message_id": id, "source": "user", "deliver": deliver, "text": text })
}

async fn state(town: &Town, path: &str, wanted: &str) {
    town.runtime
        .until(wanted, async |runtime| (runtime.get(path).await.1["data"]["state"] == wanted).then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mayor_hears_each_message_once_and_remembers() {
    if kilo_or_skip("the_mayor_hears_each_message_once_and_remembers").is_none() {
        return;
    }
    let town = Town::start("mayor").await;
    town.model.follow(vec![tool("gt_sling"), Step::Say("On it."), Step::Say("Hello again."), Step::Say("And again.")]);
    let rig = json!({
        "rig_id": town.rig, "name": "Green House", "git_url": town.repo.url(), "default_branch": "main", "target_branch": "main",
    });
    let mut config = crate::support::worker::config();
    config["config_version"] = json!(2);
    config["rigs"] = json!([rig]);
    assert_eq!(town.runtime.call("PUT", &town.path("/config"), Some(&config)).await.0, 200);
    let agent = new_id();
    let first = order(&town, &agent, 1);
    let (status, reply) = town.runtime.post(&town.path("/assignments"), &first).await;
    assert_eq!(status, 202, "{reply}");
    let path = town.path(&format!("/assignments/{}", first["assignment"]["assignment_id"].as_str().unwrap()));
    state(&town, &path, "idle").await;
    assert!(town.model.requests().is_empty(), "a start costs nothing");
    let desk = town.runtime.dir.join("data/towns").join(&town.worker.town).join("mayor/desk");
    town.runtime.until("the checkout", async |_| desk.join("rigs/green-house/README.md").exists().then_some(())).await;
    assert!(std::fs::read_to_string(desk.join("AGENTS.md")).unwrap().contains("`rigs/green-house`: Green House"));
    let push = json!({ "epoch": 1, "messages": [message("m-0001", "Please add a greeting.", "now")] });
    let (status, reply) = town.runtime.post(&format!("{path}/messages"), &push).await;
    assert_eq!((status, &reply["data"]["results"][0]["state"]), (202, &json!("queued")), "{reply}");
    town.runtime.until("the sling", async |_| town.worker.calls("/tools/sling").pop()).await;
    assert_eq!(town.worker.calls("/tools/sling")[0].token, "Bearer mayor-token-0123");
    state(&town, &path, "idle").await;
    let (_, reply) = town.runtime.post(&format!("{path}/messages"), &push).await;
    assert_eq!(reply["data"]["results"][0]["state"], "delivered", "{reply}");
    let delivered = |town: &Town| -> Vec<Value> {
        town.worker.facts().into_iter().filter(|fact| fact["type"] == "delivered").collect()
    };
    assert_eq!(delivered(&town).len(), 1);
    assert_eq!(delivered(&town)[0]["message_ids"], json!(["m-0001"]));
    // Another epoch, another process: the conversation is still there, and an old id is still known.
    let second = order(&town, &agent, 2);
    assert_eq!(town.runtime.post(&town.path("/assignments"), &second).await.0, 202);
    let path = town.path(&format!("/assignments/{}", second["assignment"]["assignment_id"].as_str().unwrap()));
    state(&town, &path, "idle").await;
    let push = json!({
        "epoch": 2,
        "messages": [message("m-0001", "Please add a greeting.", "now"), message("m-0002", "Still there?", "idle")],
    });
    let (_, reply) = town.runtime.post(&format!("{path}/messages"), &push).await;
    assert_eq!(reply["data"]["results"][0]["state"], "delivered", "{reply}");
    town.runtime.until("the second delivery", async |_| (delivered(&town).len() == 2).then_some(())).await;
    state(&town, &path, "idle").await;
    let last = town.model.requests().pop().unwrap().1["messages"].to_string();
    assert_eq!(last.matches("Please add a greeting.").count(), 1, "{last}");
    assert!(last.contains("On it.") && last.contains("Still there?"), "{last}");
    let end = town.worker.outcomes();
    assert_eq!((end.len(), &end[0]["outcome"]), (1, &json!("interrupted")), "{end:?}");
    let events = town.worker.calls("/runtime/events");
    let kinds: Vec<String> = events
        .iter()
        .flat_map(|call| call.body["batches"].as_array().cloned().unwrap_or_default())
        .flat_map(|batch| batch["events"].as_array().cloned().unwrap_or_default())
        .map(|event| event["kind"].as_str().unwrap_or_default().to_owned())
        .collect();
    for kind in ["message", "part", "tool", "session", "exited"] {
        assert!(kinds.iter().any(|known| known == kind), "{kind} is missing in {kinds:?}");
    }
}
