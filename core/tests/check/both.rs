//! Scenarios of a town with its rigs: what one says reaches the other, in order, until nobody has anything to say. The
//! runtime, people and the forge are played by the commands; a command that begins with a rig's name is the rig's.

use std::collections::BTreeMap;
use std::time::Duration;

use gastown_core::time::Timestamp;

use super::{START, duration, rig, town};

/// Plays a scenario of both.
pub(crate) fn play(scenario: &str) -> String {
    let mut player = Player { town: town::Player::linked(), rigs: BTreeMap::new(), now: START.parse().unwrap() };
    super::play(scenario, |command| player.run(command))
}

struct Player {
    town: town::Player,
    rigs: BTreeMap<String, rig::Player>,
    now: Timestamp,
}

/// Rounds of talk after one command; more means that town and rig answer each other for ever.
const ROUNDS_MAX: usize = 50;

impl Player {
    fn run(&mut self, line: &str) -> Vec<String> {
        let mut told = Vec::new();
        match line.split_once(' ') {
            Some(("wait", span)) => self.pass(duration(span), &mut told),
            Some(("rig", name)) => {
                let player = rig::Player::linked(name, self.now);
                self.rigs.insert(name.to_owned(), player);
                let lines = self.town.run(line);
                note(&mut told, "town", lines);
            }
            Some((name, command)) if self.rigs.contains_key(name) => {
                let lines = self.rigs.get_mut(name).unwrap().run(command);
                note(&mut told, name, lines);
            }
            _ => {
                let lines = self.town.run(line);
                note(&mut told, "town", lines);
            }
        }
        self.talk(&mut told);
        told
    }

    /// Carries messages until there are none.
    fn talk(&mut self, told: &mut Vec<String>) {
        for _ in 0..ROUNDS_MAX {
            let mut is_quiet = true;
            for (name, player) in &mut self.rigs {
                let said = player.take_said();
                if !said.is_empty() {
                    is_quiet = false;
                    let lines = self.town.hear(name, said);
                    note(told, "town", lines);
                }
            }
            for (name, messages) in self.town.take_said() {
                is_quiet = false;
                let lines = self.rigs.get_mut(&name).unwrap().hear(messages);
                note(told, &name, lines);
            }
            if is_quiet {
                return;
            }
        }
        panic!("town and rigs talk for ever: {told:#?}");
    }

    /// Lets time pass in all objects, alarm by alarm.
    fn pass(&mut self, span: Duration, told: &mut Vec<String>) {
        let end = self.now + span;
        let mut rest = super::Rest::default();
        loop {
            let alarms = self.rigs.values().filter_map(|rig| rig.wake_at()).chain(self.town.wake_at());
            let Some(at) = alarms.min().filter(|&at| at <= end) else { break };
            self.now = self.now.max(at);
            rest.alarm(self.now);
            self.wake(told);
        }
        self.now = end;
        self.wake(told);
    }

    fn wake(&mut self, told: &mut Vec<String>) {
        for (name, player) in &mut self.rigs {
            let lines = player.wake(self.now);
            note(told, name, lines);
        }
        let lines = self.town.wake(self.now);
        note(told, "town", lines);
        self.talk(told);
    }
}

fn note(told: &mut Vec<String>, who: &str, lines: Vec<String>) {
    told.extend(lines.into_iter().map(|line| format!("{who}: {line}")));
}
