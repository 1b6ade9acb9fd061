use super::*;

/// Feeds words, one per input, and compares the last orders.
fn check(kind: Kind, inputs: &str, expected: &str) {
    let mut machine = Machine::new(kind, Timestamp::from_ms(0));
    let mut now = 0;
    let mut last = Vec::new();
    for word in inputs.split_whitespace() {
        now += 10_000;
        last = machine.step(input(word), Timestamp::from_ms(now));
    }
    let orders: Vec<String> = last.iter().map(name).collect();
    assert_eq!(format!("{}: {}", state(machine.state()), orders.join(" ")), expected, "{inputs}");
}

fn input(word: &str) -> Input {
    let stop = |mode| Input::Stop(Cause::new(OutcomeKind::Stopped, "asked", "Asked."), mode);
    let error = |kind| Input::Error { kind, message: "no".to_owned(), retry_after_s: None };
    match word {
        "cloning" => Input::StepReached(Step::Cloning),
        "booting" => Input::StepReached(Step::Booting),
        "failed" => Input::StartFailed(StartFailure { code: StartFailureCode::GitFailed, message: "no".to_owned() }),
        "running" => Input::Running,
        "busy" => Input::Activity(Activity::Busy),
        "idle" => Input::Activity(Activity::Idle),
        "rate-limited" => error(ErrorKind::RateLimited),
        "auth" => error(ErrorKind::Auth),
        "provider" => error(ErrorKind::Provider),
        "overflow" => error(ErrorKind::ContextOverflow),
        "died" => Input::Died { message: "signal 9".to_owned(), is_final: false },
        "oom" => Input::Died { message: "memory".to_owned(), is_final: true },
        "result" => Input::ResultAccepted,
        "wrap-up" => Input::WrapUp("Budget.".to_owned()),
        "stop" => stop(StopMode::Save),
        "kill" => stop(StopMode::Kill),
        "stopped" => Input::StopDone,
        "slow" => Input::StopTooSlow,
        other => panic!("unknown word {other}"),
    }
}

fn state(state: &State) -> String {
    match state {
        State::Preparing(step) => format!("preparing({step})"),
        State::Ready(activity) => format!("ready({activity:?})").to_lowercase(),
        State::Restarting => "restarting".to_owned(),
        State::Stopping(cause, mode) => format!("stopping({}, {mode})", cause.outcome),
        State::Ended(Some(cause)) => format!("ended({})", cause.outcome),
        State::Ended(None) => "ended".to_owned(),
    }
}

fn name(order: &Order) -> String {
    match order {
        Order::Report(phase) => format!("report({phase})"),
        Order::ReportFailure(phase, failure) => format!("fail({phase}, {})", failure.code),
        Order::Beat => "beat".to_owned(),
        Order::Deliver => "deliver".to_owned(),
        Order::CancelPreparation => "cancel".to_owned(),
        Order::Restart => "restart".to_owned(),
        Order::SayInterrupted => "interrupted".to_owned(),
        Order::SayWrapUp(_) => "wrap-up".to_owned(),
        Order::ContinueAfter(wait) => format!("continue({}s)", wait.as_secs()),
        Order::Compact => "compact".to_owned(),
        Order::Stop(mode, grace) => format!("stop({mode}, {}s)", grace.as_secs()),
        Order::Kill => "kill".to_owned(),
        Order::CleanUp => "clean-up".to_owned(),
        Order::Finish(cause) => format!("finish({})", cause.outcome),
    }
}

#[test]
fn a_start_reports_its_steps() {
    check(Kind::Work, "cloning", "preparing(cloning): report(cloning)");
    check(Kind::Work, "booting", "preparing(booting): report(booting)");
    check(Kind::Work, "booting running", "ready(busy): report(running) beat deliver");
    check(Kind::Mayor, "booting running", "ready(idle): report(running) beat deliver");
    check(Kind::Work, "booting failed", "ended: fail(booting, git_failed) clean-up beat");
    check(Kind::Work, "booting died", "ended: fail(booting, boot_exited) clean-up beat");
    check(Kind::Work, "booting stop", "stopping(stopped, save): cancel report(finishing) stop(save, 0s)");
}

#[test]
fn activity_is_told_once() {
    check(Kind::Work, "running busy", "ready(busy): ");
    check(Kind::Work, "running idle", "ready(idle): beat deliver");
    check(Kind::Work, "running idle idle", "ready(idle): ");
}

#[test]
fn a_result_ends_the_session_without_saving() {
    check(Kind::Work, "running result", "stopping(completed, discard): report(finishing) stop(discard, 10s)");
    check(Kind::Work, "running result stopped", "ended(completed): finish(completed) beat");
    check(Kind::Work, "running result result", "stopping(completed, discard): ");
    check(Kind::Work, "running result died", "stopping(completed, discard): ");
    check(
        Kind::Work,
        "running died result",
        "stopping(completed, discard): cancel report(finishing) stop(discard, 0s)",
    );
}

#[test]
fn a_crash_is_restarted_within_the_budget() {
    check(Kind::Work, "running died", "restarting: restart beat");
    check(Kind::Work, "running died running", "ready(busy): interrupted beat");
    check(
        Kind::Work,
        "running died running died running died",
        "stopping(crashed, save): report(finishing) stop(save, 0s)",
    );
    check(Kind::Mayor, "running died running died running died", "restarting: restart beat");
    check(Kind::Work, "running died failed", "stopping(crashed, save): report(finishing) stop(save, 0s)");
    check(Kind::Work, "running oom", "stopping(crashed, save): report(finishing) stop(save, 0s)");
}

#[test]
fn only_transient_errors_are_waited_out() {
    check(Kind::Work, "running provider", "ready(retrying): continue(30s) beat");
    check(Kind::Work, "running provider busy provider", "ready(retrying): continue(60s) beat");
    check(Kind::Work, "running provider provider provider", "stopping(error, save): report(finishing) stop(save, 0s)");
    check(Kind::Work, "running rate-limited", "ready(retrying): continue(30s) beat");
    check(Kind::Work, "running auth", "stopping(error, save): report(finishing) stop(save, 0s)");
    check(Kind::Work, "running overflow", "ready(busy): compact");
    check(Kind::Work, "running overflow overflow", "stopping(error, save): report(finishing) stop(save, 0s)");
    check(Kind::Mayor, "running auth", "ready(idle): ");
}

#[test]
fn a_stop_may_be_hastened() {
    check(Kind::Work, "running stop kill", "ended(stopped): kill finish(stopped) beat");
    check(Kind::Work, "running stop slow", "ended(stopped): kill finish(stopped) beat");
    check(Kind::Work, "running stop stop", "stopping(stopped, save): ");
    check(Kind::Work, "running kill", "ended(stopped): kill finish(stopped) beat");
    check(Kind::Work, "running kill stop", "ended(stopped): ");
}

#[test]
fn wrap_up_is_said_once() {
    check(Kind::Work, "running wrap-up", "ready(busy): wrap-up");
    check(Kind::Work, "running wrap-up wrap-up", "ready(busy): ");
}
