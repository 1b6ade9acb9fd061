//! Scenarios of a town's runtime. The runtime is played by the commands; pings are answered as the scenario says.

use std::time::Duration;

use gastown_core::container::{Effect, Event, Life, Planned};
use gastown_core::time::Timestamp;

use super::{START, duration, lifecycle, split, without};

/// Plays a scenario of the container.
pub(crate) fn play(scenario: &str) -> String {
    let now: Timestamp = START.parse().unwrap();
    let mut player = Player { life: Life::new(now), now, wake_at: None, is_dead: false, told: Vec::new() };
    super::play(scenario, |command| player.run(command))
}

struct Player {
    life: Life,
    now: Timestamp,
    wake_at: Option<Timestamp>,
    is_dead: bool,
    told: Vec<String>,
}

impl Player {
    fn run(&mut self, line: &str) -> Vec<String> {
        let words = split(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["needed"] => self.observe(Event::Needed(true)),
            ["not-needed"] => self.observe(Event::Needed(false)),
            ["attached"] => self.observe(Event::Attached),
            ["fails", why] => self.observe(Event::StartFailed((*why).to_owned())),
            ["heard"] => self.observe(Event::Heard),
            ["drains"] => self.observe(Event::Drains),
            ["sleeps", span] => self.observe(Event::ToldToEnd(self.now + duration(span))),
            ["ended"] => self.observe(Event::Ended),
            ["ping-fails"] => self.observe(Event::PingFailed),
            ["dies"] => self.is_dead = true,
            ["lives"] => self.is_dead = false,
            ["wait", span] => self.pass(duration(span)),
            ["alarm"] => {
                let text =
                    self.wake_at.map_or("none".to_owned(), |at| format!("in {} s", at.since(self.now).as_secs()));
                self.told.push(format!("alarm {text}"));
            }
            other => panic!("no such command: {other:?}"),
        }
        std::mem::take(&mut self.told)
    }

    fn observe(&mut self, event: Event) {
        let planned = without::observe_container(self.life.clone(), self.now, event);
        self.commit(planned);
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        let mut rest = super::Rest::default();
        while let Some(at) = self.wake_at.filter(|&at| at <= end) {
            self.now = self.now.max(at);
            rest.alarm(self.now);
            let planned = without::plan_container(self.life.clone(), self.now);
            self.commit(planned);
        }
        self.now = end;
    }

    fn commit(&mut self, planned: Planned) {
        let again = without::plan_container(planned.life.clone(), self.now);
        assert_eq!((&again.life, again.effects.len()), (&planned.life, 0), "not a fixpoint");
        lifecycle::note_container(self.life.phase, planned.life.phase);
        if planned.life.phase != self.life.phase {
            self.told.push(planned.life.phase.to_string());
        }
        (self.life, self.wake_at) = (planned.life, planned.wake_at);
        for effect in planned.effects {
            match effect {
                Effect::Ping => self.observe(if self.is_dead { Event::PingFailed } else { Event::Heard }),
                Effect::Start => self.told.push("-> start".into()),
                Effect::Restart => self.told.push("-> restart".into()),
                Effect::End => self.told.push("-> end".into()),
                Effect::TellStartFailed(why) => self.told.push(format!("-> tell: start failed: {why}")),
                Effect::TellExhausted => self.told.push("-> tell: no restart is left".into()),
                Effect::TellRecovered => self.told.push("-> tell: it answers again".into()),
            }
        }
    }
}
