//! Reads for the API: what is not part of the live state.

use std::time::Duration;

use gastown::sql::{Sql, migrate};
use gastown::town::store::activity::EventFilter;
use gastown::town::store::escalations::EscalationFilter;
use gastown::town::store::secrets::Secret;
use gastown::town::store::{self, activity, audit, commit, escalations, messages, secrets};
use gastown_core::id::{AgentId, BeadId, EscalationId, MailId, MessageId, RigId};
use gastown_core::limits::EVENTS_KEEP;
use gastown_core::protocol::{Frame, MailParty, MailTo, Severity, TriageAction, TriageAsked, TriageKind};
use gastown_core::time::Timestamp;
use gastown_core::town::Write;
use gastown_core::town::escalation::Reply;
use gastown_core::town::mail::TownMail;
use gastown_core::town::plan::EventRow;
use gastown_core::town::state::{Escalation, EscalationState, MayorMessage, MessageSource, MessageState};
use gastown_core::town::triage::{TriageRequest, TriageState};
use serde_json::json;

use crate::support::TestSql;

#[test]
fn the_conversation_keeps_delivered_messages() {
    let sql = TestSql::migrated(migrate::TOWN);
    for n in 1..=3 {
        put(&sql, Write::Message(message(n, MessageState::Queued)));
    }
    put(&sql, Write::Message(message(2, MessageState::Delivered)));
    let newest = messages::newest(&sql, None, 2).unwrap();
    assert_eq!(newest, [message(3, MessageState::Queued), message(2, MessageState::Delivered)]);
    let before = (newest[1].created_at, newest[1].message_id);
    assert_eq!(messages::newest(&sql, Some(before), 9).unwrap(), [message(1, MessageState::Queued)]);
    assert_eq!(
        messages::get(&sql, MessageId::from_u128(2)).unwrap(),
        Some(message(2, MessageState::Delivered)),
        "a repeated id finds the message that was delivered"
    );
    assert_eq!(messages::get(&sql, MessageId::from_u128(9)).unwrap(), None);
}

#[test]
fn escalations_are_filtered_newest_first() {
    let sql = TestSql::migrated(migrate::TOWN);
    let rows = [
        escalation(1, Severity::Low, EscalationState::Resolved, 1),
        escalation(2, Severity::Critical, EscalationState::Open, 1),
        escalation(3, Severity::Low, EscalationState::Open, 2),
    ];
    for row in &rows {
        put(&sql, Write::Escalation(Box::new(row.clone())));
    }
    let numbers = |filter: EscalationFilter| -> Vec<EscalationId> {
        escalations::page(&sql, &EscalationFilter { limit: 9, ..filter })
            .unwrap()
            .into_iter()
            .map(|escalation| escalation.escalation_id)
            .collect()
    };
    let id = EscalationId::from_u128;
    assert_eq!(escalations::get(&sql, id(2)).unwrap().as_ref(), Some(&rows[1]));
    assert_eq!(numbers(EscalationFilter::default()), [id(3), id(2), id(1)]);
    let open = vec![EscalationState::Open];
    assert_eq!(numbers(EscalationFilter { states: open, ..EscalationFilter::default() }), [id(3), id(2)]);
    let low = vec![Severity::Low];
    assert_eq!(numbers(EscalationFilter { severities: low, ..EscalationFilter::default() }), [id(3), id(1)]);
    let rigs = vec![RigId::from_u128(1)];
    assert_eq!(numbers(EscalationFilter { rigs, offset: 1, ..EscalationFilter::default() }), [id(1)]);
    let categories = vec!["triage".to_owned()];
    assert_eq!(numbers(EscalationFilter { categories, ..EscalationFilter::default() }), []);
    let before = Some((rows[1].created_at, id(2)));
    assert_eq!(numbers(EscalationFilter { before, ..EscalationFilter::default() }), [id(1)]);
}

#[test]
fn mail_to_people_is_kept_once_and_read_once() {
    let sql = TestSql::migrated(migrate::TOWN);
    let mail = |n: u8, to: MailTo| TownMail {
        mail_id: MailId::from_u128(n.into()),
        from_kind: MailParty::Agent,
        from_id: "agent".to_owned(),
        from_name: "Toast".to_owned(),
        from_rig: Some(RigId::from_u128(1)),
        to,
        thread_id: MailId::from_u128(1),
        reply_to: Some(MailId::from_u128(9)),
        subject: format!("Mail {n}"),
        body: "Text".to_owned(),
        created_at: at(n.into()),
        read_at: None,
    };
    let (first, second) = (mail(1, MailTo::Mayor), mail(2, MailTo::User("ann".to_owned())));
    for row in [&first, &second, &first] {
        put(&sql, Write::Mail(Box::new(row.clone())));
    }
    assert_eq!(store::mail::page(&sql, None, 9).unwrap(), [second, first.clone()]);
    assert_eq!(store::mail::page(&sql, Some(MailId::from_u128(2)), 9).unwrap(), []);
    put(&sql, Write::MailRead(first.mail_id, at(5)));
    put(&sql, Write::MailRead(first.mail_id, at(6)));
    let read = TownMail { read_at: Some(at(5)), ..first.clone() };
    assert_eq!(store::mail::get(&sql, first.mail_id).unwrap(), Some(read));
}

#[test]
fn decided_requests_are_forgotten_when_their_batch_is_over() {
    let sql = TestSql::migrated(migrate::TOWN);
    let request = |n: u8, batch_is_live: bool| TriageRequest {
        rig_id: RigId::from_u128(1),
        asked: TriageAsked {
            request_id: BeadId::from_u128(n.into()),
            kind: TriageKind::StuckAgent,
            agent_id: None,
            bead_id: None,
            assignment_id: None,
            options: Vec::new(),
            context: json!("silent"),
        },
        escalation_id: None,
        state: TriageState::Resolved,
        batch_bead: Some(BeadId::from_u128(9)),
        batch_is_live,
        rounds: 1,
        action: Some(TriageAction::Nudge),
        notes: Some("It sleeps.".to_owned()),
        resolved_by: Some("agent".to_owned()),
        not_before: None,
        created_at: at(1),
        resolved_at: Some(at(2)),
    };
    for row in [request(1, false), request(2, true)] {
        put(&sql, Write::Triage(Box::new(row)));
    }
    let found = |n: u128| store::triage::get(&sql, BeadId::from_u128(n)).unwrap();
    assert_eq!(found(1), Some(request(1, false)));
    put(&sql, Write::Prune(at(3) + EVENTS_KEEP));
    assert_eq!((found(1), found(2)), (None, Some(request(2, true))));
}

#[test]
fn one_key_has_one_open_escalation() {
    let sql = TestSql::migrated(migrate::TOWN);
    let mut twin = escalation(2, Severity::Low, EscalationState::Open, 1);
    put(&sql, Write::Escalation(Box::new(escalation(1, Severity::Low, EscalationState::Open, 1))));
    twin.dedup_key = "bead:1".to_owned();
    assert!(commit(&sql, at(9), &[("test", Write::Escalation(Box::new(twin.clone())))]).is_err());
    put(&sql, Write::Escalation(Box::new(escalation(1, Severity::Low, EscalationState::Resolved, 1))));
    put(&sql, Write::Escalation(Box::new(twin)));
}

#[test]
fn the_feed_is_numbered_and_trimmed_but_for_its_newest_frame() {
    let sql = TestSql::migrated(migrate::TOWN);
    assert_eq!(activity::range(&sql, at(0)).unwrap(), activity::Range { oldest: 0, newest: 0 });
    let (rig, town) = (Some(RigId::from_u128(1)), None);
    let frames = [(rig, "bead.updated"), (town, "town.updated"), (rig, "activity"), (town, "town.updated")];
    for (n, (rig_id, kind)) in (1..).zip(frames) {
        let frame = Frame { frame: kind.to_owned(), data: json!({ "n": n }) };
        let stored = commit(&sql, at(n), &[("feed", Write::Frame(rig_id, frame.clone()))]).unwrap();
        assert_eq!((stored[0].seq, stored[0].at), (u64::try_from(n).unwrap(), at(n)));
        assert_eq!((&stored[0].frame, &stored[0].data, stored[0].rig_id), (&frame.frame, &frame.data, rig_id));
    }
    let numbers = |frames: Vec<activity::StoredFrame>| frames.iter().map(|frame| frame.seq).collect::<Vec<_>>();
    assert_eq!(numbers(activity::after(&sql, 1, 2).unwrap()), [2, 3]);
    assert_eq!(numbers(activity::newest(&sql, None, None, None, 2).unwrap()), [4, 3]);
    assert_eq!(numbers(activity::newest(&sql, Some("town.updated"), None, Some(4), 9).unwrap()), [2]);
    assert_eq!(numbers(activity::newest(&sql, None, rig, None, 9).unwrap()), [3, 1]);
    // Frames are kept two days, rows of the feed a week; readers resume from where nothing is missing.
    let days = |n: u64| Duration::from_secs(n * 24 * 60 * 60);
    activity::trim(&sql, at(3) + days(2)).unwrap();
    assert_eq!(activity::range(&sql, at(3) + days(2)).unwrap(), activity::Range { oldest: 3, newest: 4 });
    activity::trim(&sql, at(9) + days(2)).unwrap();
    assert_eq!(numbers(activity::after(&sql, 0, 9).unwrap()), [3, 4]);
    assert_eq!(activity::range(&sql, at(9) + days(2)).unwrap(), activity::Range { oldest: 4, newest: 4 });
    activity::trim(&sql, at(9) + days(7)).unwrap();
    assert_eq!(numbers(activity::after(&sql, 0, 9).unwrap()), [4]);
    let frame = Frame { frame: "ui_action".to_owned(), data: json!(null) };
    assert_eq!(commit(&sql, at(99), &[("feed", Write::Frame(None, frame))]).unwrap()[0].seq, 5);
}

#[test]
fn the_feed_is_filtered_newest_first() {
    let sql = TestSql::migrated(migrate::TOWN);
    let (bead, agent) = (BeadId::from_u128(3), AgentId::from_u128(4));
    for n in 1..=4_u8 {
        let kind = if n % 2 == 0 { "escalated" } else { "mail_sent" };
        let row = EventRow {
            kind,
            rig_id: Some(RigId::from_u128(n.into())),
            bead_id: (n > 2).then_some(bead),
            agent_id: Some(agent),
            convoy_id: None,
            actor: "ann".to_owned(),
            actor_name: None,
            old: None,
            new: Some("high".to_owned()),
            title: None,
            data: json!({ "n": n }),
        };
        commit(&sql, at(n.into()), &[("mayor_notify", Write::Event(row))]).unwrap();
    }
    put(&sql, Write::Frame(None, Frame { frame: "town.updated".to_owned(), data: json!({}) }));
    let all = EventFilter { limit: 9, ..EventFilter::default() };
    let numbers = |filter: EventFilter| -> Vec<u64> {
        activity::events(&sql, &filter).unwrap().into_iter().map(|frame| frame.seq).collect()
    };
    assert_eq!(numbers(all.clone()), [4, 3, 2, 1]);
    assert_eq!(numbers(EventFilter { types: vec!["escalated".to_owned()], ..all.clone() }), [4, 2]);
    assert_eq!(numbers(EventFilter { rigs: vec![RigId::from_u128(2)], ..all.clone() }), [2]);
    assert_eq!(numbers(EventFilter { beads: vec![bead], ..all.clone() }), [4, 3]);
    assert_eq!(numbers(EventFilter { agents: vec![AgentId::from_u128(9)], ..all.clone() }), Vec::<u64>::new());
    assert_eq!(numbers(EventFilter { since: Some(at(3)), ..all.clone() }), [4, 3]);
    assert_eq!(numbers(EventFilter { after_seq: Some(3), ..all.clone() }), [4]);
    assert_eq!(numbers(EventFilter { limit: 1, before: Some(4), ..all.clone() }), [3]);
    let newest = &activity::events(&sql, &all).unwrap()[0];
    assert_eq!((&newest.data["actor"]["kind"], &newest.data["rule"]), (&json!("user"), &json!("mayor_notify")));
}

#[test]
fn changes_of_settings_are_logged() {
    let sql = TestSql::migrated(migrate::TOWN);
    let keys = vec!["gates".to_owned()];
    let target = "town".to_owned();
    put(&sql, Write::Audit { actor: "ann".to_owned(), action: "town.config", target, changes: keys.clone() });
    let log = audit::page(&sql, &audit::AuditFilter { limit: 9, ..audit::AuditFilter::default() }).unwrap();
    assert_eq!((log[0].seq, log[0].at, log[0].actor.as_str()), (1, at(0), "ann"));
    assert_eq!(log[0].changes.keys().collect::<Vec<_>>(), keys.iter().collect::<Vec<_>>());
    let values = serde_json::json!({ "default_model": { "old": null, "new": "a/b" } });
    audit::complete(&sql, values.as_object().unwrap(), "r1").unwrap();
    audit::note(&sql, at(5), "root", "towns::show", "town x", "r2").unwrap();
    let by = |actor: &str, since| audit::AuditFilter {
        actors: vec![actor.to_owned()],
        since,
        limit: 9,
        ..audit::AuditFilter::default()
    };
    let anns = audit::page(&sql, &by("ann", None)).unwrap();
    assert_eq!((anns.len(), anns[0].request_id.as_str()), (1, "r1"));
    assert_eq!(anns[0].changes["default_model"]["new"], "a/b");
    assert_eq!(audit::page(&sql, &by("root", Some(at(5)))).unwrap().len(), 1);
    assert_eq!(audit::page(&sql, &by("root", Some(at(6)))).unwrap(), []);
}

#[test]
fn a_secret_is_set_replaced_and_removed() {
    let sql = TestSql::migrated(migrate::TOWN);
    let secret = |value: &str| Secret {
        name: "env_vars.NPM_TOKEN".to_owned(),
        value: value.to_owned(),
        last4: "cdef".to_owned(),
        updated_at: at(1),
        updated_by: "ann".to_owned(),
    };
    secrets::put(&sql, &secret("sealed")).unwrap();
    secrets::put(&sql, &secret("sealed again")).unwrap();
    assert_eq!(secrets::all(&sql).unwrap(), [secret("sealed again")]);
    assert_eq!(secrets::get(&sql, "env_vars.NPM_TOKEN").unwrap(), Some(secret("sealed again")));
    secrets::remove(&sql, "env_vars.NPM_TOKEN").unwrap();
    assert_eq!(secrets::get(&sql, "env_vars.NPM_TOKEN").unwrap(), None);
}

#[test]
fn a_drain_that_was_stored_before_it_could_be_empty_is_kept() {
    let before = migrate::TOWN.iter().position(|migration| migration.name == "0011_drain").unwrap();
    let sql = TestSql::migrated(&migrate::TOWN[..before]);
    sql.run("insert into drain values (1, 'none', 'old', 3, null, 5)", &[]).unwrap();
    migrate::migrate(&sql, migrate::TOWN).unwrap();
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Row {
        state: String,
        nonce: Option<String>,
        started_at: Option<i64>,
    }
    let rows: Vec<Row> = sql.rows("select * from drain", &[]).unwrap();
    assert_eq!(rows, [Row { state: "none".to_owned(), nonce: None, started_at: None }]);
}

fn put(sql: &TestSql, write: Write) {
    commit(sql, at(0), &[("test", write)]).unwrap();
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn message(n: u8, state: MessageState) -> MayorMessage {
    MayorMessage {
        message_id: MessageId::from_u128(n.into()),
        source: MessageSource::User,
        source_id: Some("ann".to_owned()),
        body: format!("Message {n}"),
        ui_context: None,
        state,
        created_at: at(n.into()),
        sent_at: None,
        delivered_at: (state == MessageState::Delivered).then(|| at(50)),
    }
}

fn escalation(n: u8, severity: Severity, state: EscalationState, rig: u8) -> Escalation {
    let is_open = state == EscalationState::Open;
    Escalation {
        escalation_id: EscalationId::from_u128(n.into()),
        dedup_key: format!("bead:{n}"),
        severity,
        category: "bead".to_owned(),
        code: "lost_leases".to_owned(),
        title: "It failed".to_owned(),
        message: "It failed five times.".to_owned(),
        rig_id: Some(RigId::from_u128(rig.into())),
        bead_id: None,
        agent_id: None,
        assignment_id: None,
        convoy_id: None,
        choices: vec!["retry".to_owned()],
        metadata: json!({ "tried": n }).as_object().unwrap().clone(),
        replies: vec![Reply { at: at(7), by: "ann".to_owned(), message: "Go on.".to_owned(), delivered_at: None }],
        raised_by: "rig".to_owned(),
        raised_by_name: Some("Toast".to_owned()),
        count: 1,
        state,
        raises: 1,
        next_raise_at: is_open.then(|| at(99)),
        told: Some(severity),
        created_at: at(n.into()),
        updated_at: at(50),
        closed_at: (!is_open).then(|| at(60)),
        closed_by: (!is_open).then(|| "system".to_owned()),
        version: 1,
    }
}
