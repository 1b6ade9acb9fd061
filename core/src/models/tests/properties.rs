//! The properties of models.md 7 over random settings. One seed is one case; a failure names its seed.

use super::*;
use crate::id::{IdSeed, MadeFrom as _};

const CASES: u128 = 3_000;

/// Draws settings from a seed.
struct Draw(IdSeed);

impl Draw {
    fn seed(seed: u128) -> Self {
        Self(IdSeed::new(seed))
    }

    fn below(&mut self, bound: usize) -> usize {
        let drawn: RigId = self.0.mint();
        usize::from_str_radix(&drawn.digits(8), 16).unwrap() % bound
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn maybe_model(&mut self, name: &str) -> Option<ModelId> {
        (self.below(3) == 0).then(|| id(&format!("m/{name}")))
    }

    fn town(&mut self) -> TownModels {
        TownModels {
            model_profile: self
                .one(&[None, Some("custom"), Some("frugal"), Some("balanced"), Some("premium"), Some("lost")])
                .map(str::to_owned),
            default_model: self.maybe_model("town"),
            small_model: self.maybe_model("town-small"),
            role_models: RoleModels {
                mayor: self.maybe_model("town-mayor"),
                refinery: self.maybe_model("town-refinery"),
                polecat: self.maybe_model("town-polecat"),
            },
            model_overrides: self.overrides(),
        }
    }

    fn overrides(&mut self) -> Vec<ModelOverride> {
        let mut rules: Vec<ModelOverride> = Vec::new();
        for index in 0..self.below(8) {
            let rule = self.rule(&format!("rule-{index}"));
            if !rules.iter().any(|known| same_place(known, &rule)) {
                rules.push(rule);
            }
        }
        rules
    }

    fn rule(&mut self, model: &str) -> ModelOverride {
        let role = self.one(SlotRole::ALL);
        let wide = matches!(role, SlotRole::Mayor | SlotRole::Small);
        let label = if wide || self.below(2) == 0 { None } else { Some(self.one(RoutableLabel::ALL)) };
        let rig_id = if wide || self.below(2) == 0 { None } else { Some(self.rig_id()) };
        ModelOverride { role, label, rig_id, model: id(&format!("m/{model}")) }
    }

    fn rig_id(&mut self) -> RigId {
        RigId::made_from(self.below(2) as u128)
    }

    fn rig(&mut self) -> Option<RigModels> {
        (self.below(4) > 0).then(|| RigModels {
            rig_id: self.rig_id(),
            name: "rig".to_owned(),
            default_model: self.maybe_model("rig"),
            role_models: RigRoleModels {
                refinery: self.maybe_model("rig-refinery"),
                polecat: self.maybe_model("rig-polecat"),
            },
        })
    }

    fn task(&mut self) -> Task {
        let role = self.one(TaskRole::ALL);
        let labels: Vec<&str> = (0..self.below(3)).map(|_| self.one(RoutableLabel::ALL).as_str()).collect();
        Task::new(role, &labels, self.maybe_model("bead"))
    }
}

fn same_place(a: &ModelOverride, b: &ModelOverride) -> bool {
    (a.role, a.label, a.rig_id) == (b.role, b.label, b.rig_id)
}

/// Where the winner stands in the order of precedence.
fn winner_at(trace: &[TraceEntry]) -> usize {
    trace.iter().position(|entry| entry.outcome == Outcome::Wins).unwrap()
}

fn each_case(check: impl Fn(u128, &mut Draw)) {
    for seed in 0..CASES {
        check(seed, &mut Draw::seed(seed));
    }
}

#[test]
fn two_runs_agree_byte_for_byte_and_one_candidate_wins() {
    let catalogue = shipped();
    each_case(|seed, draw| {
        let (town, rig, task) = (draw.town(), draw.rig(), draw.task());
        let first = resolve(&town, &catalogue, rig.as_ref(), &task);
        let text = serde_json::to_string(&first).unwrap();
        let stored: TownModels = serde_json::from_str(&serde_json::to_string(&town).unwrap()).unwrap();
        assert_eq!(text, serde_json::to_string(&resolve(&stored, &catalogue, rig.as_ref(), &task)).unwrap(), "{seed}");
        assert_eq!(serde_json::from_str::<Resolution>(&text).unwrap(), first, "{seed}");
        for (trace, model) in [(&first.trace, &first.model), (&first.small_trace, &first.small_model)] {
            let winners: Vec<_> = trace.iter().filter(|entry| entry.outcome == Outcome::Wins).collect();
            assert_eq!(winners.len(), 1, "{seed}");
            assert_eq!(winners[0].value.as_ref(), Some(model), "{seed}");
            let settled = winner_at(trace);
            for (at, entry) in trace.iter().enumerate() {
                let expected = match (&entry.value, at.cmp(&settled)) {
                    (None, _) => Outcome::Unset,
                    (Some(_), std::cmp::Ordering::Equal) => Outcome::Wins,
                    (Some(_), _) => Outcome::Shadowed,
                };
                assert_eq!(entry.outcome, expected, "{seed} entry {at}");
            }
        }
        let main = &first.trace[winner_at(&first.trace)];
        assert_eq!((first.rule, first.label, first.source), (main.rule, main.label, main.rule.source()), "{seed}");
    });
}

#[test]
fn the_mayor_depends_on_neither_rig_nor_labels_nor_bead() {
    let catalogue = shipped();
    each_case(|seed, draw| {
        let (town, rig) = (draw.town(), draw.rig());
        let labels = [draw.one(RoutableLabel::ALL).as_str()];
        let task = Task::new(TaskRole::Mayor, &labels, Some(id("m/bead")));
        let prewarm = resolve(&town, &catalogue, None, &Task::mayor());
        assert_eq!(resolve(&town, &catalogue, rig.as_ref(), &task), prewarm, "{seed}");
    });
}

#[test]
fn without_profile_and_rules_the_model_is_role_else_default_else_fallback() {
    let catalogue = shipped();
    each_case(|seed, draw| {
        let town = TownModels { model_profile: None, model_overrides: Vec::new(), ..draw.town() };
        let task = Task { bead_model: None, ..draw.task() };
        let role = match task.role {
            TaskRole::Mayor => &town.role_models.mayor,
            TaskRole::Polecat => &town.role_models.polecat,
            TaskRole::Refinery => &town.role_models.refinery,
            TaskRole::None => &None,
        };
        let expected = role.as_ref().or(town.default_model.as_ref()).unwrap_or(&catalogue.fallback);
        assert_eq!(&resolve(&town, &catalogue, None, &task).model, expected, "{seed}");
    });
}

#[test]
fn a_value_below_the_winner_never_changes_the_result() {
    let catalogue = shipped();
    each_case(|seed, draw| {
        let (town, rig, task) = (draw.town(), draw.rig(), draw.task());
        let before = resolve(&town, &catalogue, rig.as_ref(), &task);
        let rule = draw.rule("added");
        if town.model_overrides.iter().any(|known| same_place(known, &rule)) {
            return;
        }
        let mut changed = town.clone();
        changed.model_overrides.push(rule.clone());
        let after = resolve(&changed, &catalogue, rig.as_ref(), &task);
        assert_eq!(before.trace.len(), after.trace.len(), "{seed}: a value adds no candidate");
        let added = before.trace.iter().zip(&after.trace).position(|(old, new)| old.value != new.value);
        match added {
            // A rule that matches the work wins exactly when it stands above the winner so far.
            Some(at) if at < winner_at(&before.trace) => assert_eq!(after.model, rule.model, "{seed}"),
            Some(_) | None => assert_eq!(after.model, before.model, "{seed}"),
        }
    });
}

#[test]
fn each_level_may_be_filled_below_the_winner() {
    let catalogue = shipped();
    each_case(|seed, draw| {
        let (mut town, mut rig, mut task) = (draw.town(), draw.rig(), draw.task());
        let before = resolve(&town, &catalogue, rig.as_ref(), &task);
        let won = before.rule;
        let spare = Some(id("m/spare"));
        if won < Rule::TownDefault {
            town.default_model = spare.clone();
        }
        if won < Rule::RigDefault
            && let Some(rig) = &mut rig
        {
            rig.default_model = spare.clone();
        }
        if won < Rule::TownRole {
            town.role_models = RoleModels { mayor: spare.clone(), refinery: spare.clone(), polecat: spare.clone() };
        }
        if won < Rule::RigRole
            && let Some(rig) = &mut rig
        {
            rig.role_models = RigRoleModels { refinery: spare.clone(), polecat: spare.clone() };
        }
        if matches!(task.role, TaskRole::Mayor | TaskRole::None) {
            task.bead_model = spare;
        }
        let after = resolve(&town, &catalogue, rig.as_ref(), &task);
        assert_eq!((after.model, after.rule), (before.model, won), "{seed}");
    });
}

#[test]
fn removing_every_override_gives_the_profile() {
    let catalogue = shipped();
    each_case(|seed, draw| {
        let role = draw.one(&[SlotRole::Mayor, SlotRole::Polecat, SlotRole::Refinery]);
        let profile = &catalogue.profiles[draw.below(3)];
        let town = TownModels {
            model_profile: Some(profile.name.clone()),
            model_overrides: Vec::new(),
            role_models: RoleModels::default(),
            ..draw.town()
        };
        let task = Task::new::<&str>(role.as_str().parse().unwrap(), &[], None);
        let resolution = resolve(&town, &catalogue, None, &task);
        assert_eq!(Some(&resolution.model), profile.model(role, None), "{seed}");
        assert_eq!(Some(&resolution.small_model), profile.model(SlotRole::Small, None), "{seed}");
    });
}

#[test]
fn the_mayor_changes_only_when_what_it_asks_for_differs() {
    let catalogue = shipped();
    each_case(|seed, draw| {
        let (before, after) = (draw.town(), draw.town());
        let ask = |town: &TownModels| {
            let answer = resolve(town, &catalogue, None, &Task::mayor());
            (answer.model, answer.small_model)
        };
        let changed = mayor_models_changed(&before, &after, &catalogue);
        assert_eq!(changed, ask(&before) != ask(&after), "{seed}");
        let polecat_only = TownModels {
            role_models: RoleModels { polecat: Some(id("m/other")), ..before.role_models.clone() },
            ..before.clone()
        };
        assert!(!mayor_models_changed(&before, &polecat_only, &catalogue), "{seed}");
    });
}
