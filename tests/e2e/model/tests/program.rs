//! The program: its one line, its options, and what it says of a script that it cannot read.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gastown-model"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

#[tokio::test]
async fn it_says_where_it_listens_and_serves_the_demo() {
    let directory = tempfile::tempdir().unwrap();
    let record = directory.path().join("requests.jsonl");
    let mut model = program(&["--key", "k", "--record", record.to_str().unwrap()]).spawn().unwrap();
    let line = BufReader::new(model.stdout.take().unwrap()).lines().next_line().await.unwrap().unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    let url = format!("{}/chat/completions", ready["base_url"].as_str().unwrap());
    assert!(url.contains(ready["address"].as_str().unwrap()));

    let ask = reqwest::Client::new().post(url).json(&json!({"messages": [{"role": "user", "content": "A title?"}]}));
    assert_eq!(ask.try_clone().unwrap().send().await.unwrap().status(), 401);
    let answer: Value = ask.bearer_auth("k").send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "A session of the demo");
    model.kill().await.unwrap();

    let recorded = std::fs::read_to_string(&record).unwrap();
    let statuses: Vec<_> =
        recorded.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["status"].clone()).collect();
    assert_eq!(statuses, [json!(401), json!(200)]);
}

#[tokio::test]
async fn a_script_that_cannot_be_read_ends_it_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script.json");
    std::fs::write(&script, r#"[{"name": "x", "steps": [{"txt": "misspelt"}]}]"#).unwrap();
    let output = program(&["--script", script.to_str().unwrap()]).output().await.unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("unknown field `txt`"), "{said}");
}
