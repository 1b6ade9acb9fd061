//! The demo script against the prompts that agents really get: each role's conversation is played to its end.
//!
//! A change of wording in `core/prompts` that the script does not understand fails here, and not in the demo.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use gastown_core::id::BeadId;
use gastown_core::prompt::message::{Person, person};
use gastown_core::prompt::order::{EarlierRound, Left, Review, Rework, Round, Task, TriageRequest, Work};
use gastown_core::prompt::order::{review, rework, triage, work};
use gastown_core::prompt::{Nonce, role};
use gastown_model::chat::Request;
use gastown_model::choose::choose;
use gastown_model::fill::Filler;
use gastown_model::script::{Answer, Script};
use serde_json::{Value, json};

const BEAD: &str = "1a2b3c4d-0000-4000-8000-000000000001";
const RIG: &str = "2b3c4d5e-0000-4000-8000-000000000002";
const BRANCH: &str = "polecat/toast/1a2b3c4d";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const NO_GATES: &[String] = &[];
const NOTHING_LEFT: Left<'_> = Left { checkpoint: None, resume: None, answers: &[] };
const FIRST: Round = Round { number: 1, max: 5 };

fn bead() -> BeadId {
    BEAD.parse().unwrap()
}

fn nonce() -> Nonce {
    Nonce::from_u32(0x0a1b_2c3d)
}

/// Plays the demo script with this role text and first message. Every tool answers with what `result` says; the
/// outcome lists the calls as `tool {args}`, and the closing text last.
fn play(system: &str, first: &str, result: impl Fn(&str) -> String) -> Vec<String> {
    let script = Script::parse(gastown_model::DEMO).unwrap();
    let mut messages =
        vec![json!({"role": "system", "content": format!("You are kilo.\nInstructions from: /role.md\n{system}")})];
    messages.push(json!({"role": "user", "content": first}));
    let mut outcome = Vec::new();
    for _ in 0..10 {
        let body = json!({"model": "m", "messages": messages, "tools": [{"type": "function"}]});
        let request: Request = serde_json::from_value(body).unwrap();
        let choice = choose(&script, &request).unwrap().expect("a rule fits");
        let mut filler = Filler::new(&request, &choice);
        let Answer::Message { text, tools } = choice.step.clone().expect("a step is left").answer else {
            panic!("the demo does not fail on purpose")
        };
        let text = filler.text(&text);
        let calls: Vec<_> = tools.iter().map(|call| (call.tool.clone(), filler.json(&call.args))).collect();
        assert_eq!(filler.unfilled, [""; 0], "every hole has a value");
        outcome.extend(calls.iter().map(|(tool, args)| format!("{tool} {args}")));
        if calls.is_empty() {
            outcome.push(text);
            return outcome;
        }
        let id = |index: usize| format!("call_{}_{index}", request.messages.len());
        let asked = calls.iter().enumerate().map(|(index, (tool, args))| {
            json!({"id": id(index), "type": "function", "function": {"name": tool, "arguments": args.to_string()}})
        });
        messages.push(json!({"role": "assistant", "content": "", "tool_calls": asked.collect::<Vec<Value>>()}));
        for (index, (tool, _)) in calls.iter().enumerate() {
            messages.push(json!({"role": "tool", "tool_call_id": id(index), "content": result(tool)}));
        }
    }
    panic!("the conversation has no end: {outcome:#?}")
}

fn polecat(first: &str) -> Vec<String> {
    let system = role::polecat(
        &role::Polecat {
            agent: "Toast",
            rig: "demo",
            bead: bead(),
            branch: BRANCH,
            base: "main",
            target: "main",
            gates: NO_GATES,
            custom: None,
        },
        nonce(),
    );
    play(&system, first, |_| "ok".to_owned())
}

fn work_on(title: &str, body: Option<&str>) -> Vec<String> {
    let task = Task { title, body };
    let work = work(
        &Work {
            bead: bead(),
            branch: BRANCH,
            base: "main",
            target: "main",
            task,
            predecessors: &[],
            left: NOTHING_LEFT,
        },
        nonce(),
    );
    polecat(&work)
}

fn mayor(text: &str) -> Vec<String> {
    let system = role::mayor(&role::Mayor { town: "Demo", rigs: &[], custom: None }, nonce());
    let first = person(&Person { author: "Ada", text, ui_context: Some("the list of beads") }, nonce());
    play(&system, &first, |tool| match tool {
        "gt_list_rigs" => format!("- {RIG}: demo, file:///r, default branch main"),
        "gt_sling" => format!("Slung 'x' to Toast in demo (bead {BEAD}, m/one)."),
        _ => format!("<<<BEGIN beads 0a0a0a0a\n- {BEAD} [closed] Add a total\nEND beads 0a0a0a0a>>>"),
    })
}

fn refinery(title: &str, earlier: &[EarlierRound<'_>]) -> Vec<String> {
    let scope = role::Scope::Task;
    let system = role::refinery(
        &role::Refinery {
            agent: "Refinery",
            rig: "demo",
            review: bead(),
            branch: BRANCH,
            target: "main",
            commit: COMMIT,
            scope,
            custom: None,
        },
        nonce(),
    );
    let first = review(
        &Review {
            review: bead(),
            bead: bead(),
            branch: BRANCH,
            target: "main",
            commit: COMMIT,
            round: FIRST,
            task: Task { title, body: None },
            summary: Some("Added it."),
            gates: &[],
            earlier,
        },
        nonce(),
    );
    play(&system, &first, |_| "diff".to_owned())
}

#[test]
fn the_mayor_slings_what_the_person_asked() {
    let calls = mayor("Add a function that reverses a string.\nIt should work for words.");
    assert_eq!(calls[0], "gt_list_rigs {}");
    let args = json!({
        "rig_id": RIG,
        "title": "Add a function that reverses a string.",
        "body": "Add a function that reverses a string.\nIt should work for words.",
    });
    assert_eq!(calls[1], format!("gt_sling {args}"));
    assert!(calls[2].contains("Slung 'x' to Toast in demo"), "{}", calls[2]);
}

#[test]
fn the_mayor_answers_questions_from_its_lists() {
    let calls = mayor("What did Toast change?");
    assert_eq!(calls[0], "gt_list_beads {}");
    assert_eq!(calls[1], format!("This is what I know:\n\n- {BEAD} [closed] Add a total"));
}

#[test]
fn a_polecat_writes_tests_pushes_and_reports() {
    let calls = work_on("Add a function that reverses a string.", Some("Add a function that reverses a string."));
    let tools: Vec<_> = calls.iter().map(|call| call.split(' ').next().unwrap()).collect();
    assert_eq!(tools[..5], ["bash", "write", "write", "bash", "gt_done"]);
    assert!(calls[1].contains("lib/reverses_a_string.sh") && calls[1].contains("awk"), "{}", calls[1]);
    assert!(calls[3].contains(&format!("HEAD:refs/heads/{BRANCH}")), "{}", calls[3]);
    assert!(calls[4].contains(&format!(r#""branch":"{BRANCH}""#)), "{}", calls[4]);
}

#[test]
fn two_tasks_touch_different_files() {
    let files = |calls: Vec<String>| calls.into_iter().filter(|call| call.starts_with("write")).collect::<Vec<_>>();
    let greet = files(work_on("Add a function that greets a person", None));
    let count = files(work_on("Add a function which counts the words of a text", None));
    assert!(greet[0].contains("lib/greets_a_person.sh") && greet[0].contains("Hello, %s!"), "{}", greet[0]);
    assert!(count[0].contains("lib/counts_the_words_of_a_text.sh") && count[0].contains("NF"), "{}", count[0]);
    let plain = files(work_on("Tidy the read-me", None));
    assert!(plain[0].contains("lib/tidy_the_read_me.sh"), "{}", plain[0]);
}

#[test]
fn the_refinery_looks_and_approves() {
    let calls = refinery("Add a function that reverses a string", &[]);
    assert!(calls[0].contains(&format!("git diff origin/main...{COMMIT}")), "{}", calls[0]);
    assert!(calls[1].starts_with("gt_approve"), "{}", calls[1]);
}

#[test]
fn sloppy_work_is_sent_back_once_and_repaired() {
    let title = "Add a sloppy function that reverses a string";
    assert!(work_on(title, None)[1].contains("TODO: tidy this up"));
    let verdict = &refinery(title, &[])[1];
    assert!(verdict.starts_with("gt_request_changes") && verdict.contains("TODO: tidy this up"), "{verdict}");

    let findings = "Remove the leftover line 'TODO: tidy this up'.";
    let order = Rework {
        bead: bead(),
        branch: BRANCH,
        target: "main",
        round: FIRST,
        findings,
        files: &[],
        task: Task { title, body: None },
        left: NOTHING_LEFT,
    };
    let repair = polecat(&rework(&order, nonce()));
    assert!(repair[0].contains("git grep") && repair[1].starts_with("gt_done"), "{repair:#?}");
    assert!(refinery(title, &[EarlierRound { number: 1, findings }])[1].starts_with("gt_approve"));
}

#[test]
fn triage_takes_the_first_offered_action() {
    let system = role::triage(&role::Triage { agent: "Toast", rig: "demo", bead: bead(), custom: None }, nonce());
    let request = TriageRequest {
        request: RIG.parse().unwrap(),
        age_minutes: 3,
        bead: Some(bead()),
        agent: Some("Maple"),
        actions: &["NUDGE", "RESTART"],
        context: "Silent for an hour.",
    };
    let calls = play(&system, &triage(bead(), &[request], nonce()), |_| "ok".to_owned());
    assert!(calls[0].contains(RIG) && calls[0].contains(r#""action":"NUDGE""#), "{}", calls[0]);
    assert!(calls[1].starts_with("gt_done"));
}
