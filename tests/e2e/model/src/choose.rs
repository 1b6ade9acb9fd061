//! Which step answers a request: a pure function of the script and the messages.
//!
//! The anchor is the newest user message for which a rule fits, the rule is the first that fits it, and the step is
//! the number of assistant messages after it. A user message with a line `SCRIPT: [steps]` comes before all rules;
//! `SCRIPT polecat: [steps]` does so for that role only, since one text may reach several roles.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use crate::chat::{Request, pattern};
use crate::script::{Pattern, Rule, Script, Step};

/// Name of the rule in the recording when the conversation brought its own steps.
pub const SCRIPT_RULE: &str = "SCRIPT";

static SCRIPT_LINE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?m)^[ \t>]*SCRIPT(?:[ \t]+(?<role>\w+))?:[ \t]*(?<steps>\[.*\])[ \t]*$"));

/// What answers a request.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Name of the rule.
    pub rule: String,
    /// Index of the anchor in the messages.
    pub anchor: usize,
    /// Number of the step.
    pub index: usize,
    /// The step, unless the rule's steps are used up.
    pub step: Option<Step>,
    /// Named groups of the rule's pattern, and the values of its cases.
    pub captures: BTreeMap<String, String>,
}

/// Finds the answer; `None` when no rule fits any user message. `Err` names what is wrong with a `SCRIPT` line.
pub fn choose(script: &Script, request: &Request) -> Result<Option<Choice>, String> {
    let role = request.role();
    if let Some((anchor, steps)) = own_steps(request, role.as_deref())? {
        return Ok(Some(choice(request, SCRIPT_RULE, anchor, &steps, BTreeMap::new())));
    }
    for anchor in user_messages(request) {
        let text = request.messages[anchor].text();
        for rule in &script.0 {
            if let Some(captures) = fits(rule, request, role.as_deref(), &text) {
                return Ok(Some(choice(request, &rule.name, anchor, &rule.steps, captures)));
            }
        }
    }
    Ok(None)
}

fn choice(request: &Request, rule: &str, anchor: usize, steps: &[Step], captures: BTreeMap<String, String>) -> Choice {
    let index = request.messages[anchor..].iter().filter(|message| message.role == "assistant").count();
    Choice { rule: rule.to_owned(), anchor, index, step: steps.get(index).cloned(), captures }
}

/// The newest `SCRIPT` line that is meant for this role, and where it stands.
fn own_steps(request: &Request, role: Option<&str>) -> Result<Option<(usize, Vec<Step>)>, String> {
    for anchor in user_messages(request) {
        let text = request.messages[anchor].text();
        let meant = |found: &regex::Captures<'_>| found.name("role").is_none_or(|named| Some(named.as_str()) == role);
        if let Some(found) = SCRIPT_LINE.captures_iter(&text).find(meant) {
            let steps = serde_json::from_str(&found["steps"]).map_err(|e| format!("bad SCRIPT line: {e}"))?;
            return Ok(Some((anchor, steps)));
        }
    }
    Ok(None)
}

fn user_messages(request: &Request) -> impl Iterator<Item = usize> {
    (0..request.messages.len()).rev().filter(|&index| request.messages[index].role == "user")
}

fn fits(rule: &Rule, request: &Request, role: Option<&str>, anchor: &str) -> Option<BTreeMap<String, String>> {
    let when = &rule.when;
    let right_role = when.role.as_deref().is_none_or(|wanted| Some(wanted) == role);
    let right_tools = when.no_tools.is_none_or(|wanted| wanted == request.tools.is_empty());
    let right_model = when.model.as_ref().is_none_or(|pattern| pattern.find(&request.model).is_some());
    if !(right_role && right_tools && right_model) {
        return None;
    }
    let mut captures = match &when.contains {
        Some(pattern) => pattern.find(anchor)?,
        None => BTreeMap::new(),
    };
    let fitting = rule.cases.iter().filter(|case| case.contains.as_ref().is_none_or(|p| p.find(anchor).is_some()));
    for (name, value) in fitting.flat_map(|case| &case.values) {
        captures.entry(name.clone()).or_insert_with(|| value.clone());
    }
    Some(captures)
}

impl Pattern {
    /// The named groups if the pattern occurs in the text. A group that took no part is absent.
    pub fn find(&self, text: &str) -> Option<BTreeMap<String, String>> {
        match self {
            Self::Text(wanted) => text.contains(wanted).then(BTreeMap::new),
            Self::Regex(regex) => regex.captures(text).map(|found| {
                let names = regex.capture_names().flatten();
                names.filter_map(|name| Some((name.to_owned(), found.name(name)?.as_str().to_owned()))).collect()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const RULES: &str = r#"[
        {"name": "title", "when": {"no_tools": true}, "steps": [{"text": "A title"}]},
        {"name": "fix", "when": {"role": "polecat", "contains": "/fix (?<what>\\w+)/"}, "steps": [{"tool": "bash"}, {"text": "done"}]},
        {"name": "big", "when": {"model": "big/one"}, "steps": [{"text": "big"}]}
    ]"#;

    /// `s` system (the polecat's role), `u:text` user, `a` assistant, `t` tool; the answer is `rule/step`.
    fn check(conversation: &[&str], tools: usize, expected: &str) {
        let messages = conversation.iter().map(|line| match line.split_once(':').unwrap_or((line, "")) {
            ("s", _) => json!({"role": "system", "content": "# Gas Town role: polecat"}),
            ("u", text) => json!({"role": "user", "content": text}),
            ("a", text) => json!({"role": "assistant", "content": text}),
            (_, text) => json!({"role": "tool", "tool_call_id": "x", "content": text}),
        });
        let body =
            json!({"model": "small/one", "messages": messages.collect::<Vec<_>>(), "tools": vec![json!({}); tools]});
        let request: Request = serde_json::from_value(body).unwrap();
        let got = match choose(&Script::parse(RULES).unwrap(), &request) {
            Ok(Some(choice)) => {
                let end = if choice.step.is_some() { "" } else { " over" };
                let what = choice.captures.get("what").map(|what| format!(" {what}")).unwrap_or_default();
                format!("{}/{}{what}{end}", choice.rule, choice.index)
            }
            Ok(None) => "none".to_owned(),
            Err(error) => error.split(':').next().unwrap().to_owned(),
        };
        assert_eq!(got, expected, "{conversation:?}");
    }

    #[test]
    fn the_step_is_the_number_of_answers_since_the_anchor() {
        check(&["s", "u:fix bugs"], 1, "fix/0 bugs");
        check(&["s", "u:fix bugs", "a", "t"], 1, "fix/1 bugs");
        check(&["s", "u:fix bugs", "a", "t", "a", "u:are you there?"], 1, "fix/2 bugs over");
        check(&["s", "u:fix bugs", "a", "t", "a", "u:fix typos"], 1, "fix/0 typos");
    }

    #[test]
    fn conditions_must_all_hold() {
        check(&["u:fix bugs"], 1, "none");
        check(&["s", "u:break things"], 1, "none");
        check(&["s", "u:fix bugs"], 0, "title/0");
        check(&["s"], 1, "none");
    }

    #[test]
    fn a_conversation_may_bring_its_own_steps() {
        check(&["s", "u:fix bugs\nSCRIPT: [{\"text\":\"x\"}]"], 1, "SCRIPT/0");
        check(&["s", "u:SCRIPT: [{\"text\":\"x\"}]", "a", "u:fix bugs"], 1, "SCRIPT/1 over");
        check(&["s", "u:fix bugs\nSCRIPT refinery: [{\"text\":\"x\"}]"], 1, "fix/0 bugs");
        check(&["s", "u:SCRIPT refinery: [{}]\nSCRIPT polecat: [{\"text\":\"x\"}]"], 1, "SCRIPT/0");
        check(&["s", "u:SCRIPT: [{\"txt\":1}]"], 1, "bad SCRIPT line");
    }

    #[test]
    fn the_first_case_that_has_a_name_gives_its_value() {
        let rules = r#"[{"name": "r", "cases": [
            {"contains": "big", "let": {"size": "10"}}, {"let": {"size": "1", "unit": "m"}}
        ], "steps": [{"text": "x"}]}]"#;
        for (text, size) in [("a big one", "10"), ("one", "1")] {
            let request = serde_json::from_value(json!({"messages": [{"role": "user", "content": text}]})).unwrap();
            let captures = choose(&Script::parse(rules).unwrap(), &request).unwrap().unwrap().captures;
            assert_eq!((captures["size"].as_str(), captures["unit"].as_str()), (size, "m"));
        }
    }

    #[test]
    fn absent_groups_are_no_captures() {
        let pattern: Pattern = serde_json::from_value(json!("/a(?<b>b)?(?<c>c)/")).unwrap();
        let found = pattern.find("ac").unwrap();
        assert_eq!(found, BTreeMap::from([("c".to_owned(), "c".to_owned())]));
    }
}
