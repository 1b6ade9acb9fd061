-- What a town keeps of what is over: for each number of `over`, a convoy that landed, and all that was said meanwhile.
-- Live rows are not touched.

insert into convoys
  (convoy_id, title, slug, state, merge_mode, metadata, attention, total, closed, failed, skipped, created_by, created_at,
   started_at, landed_at, ended_at)
select convoy, 'Convoy ' || n, 'convoy-' || n, 'landed', 'review-then-land', '{}', '[]', 1, 1, 0, 0, 'ann', n, n, n, n
from over;

insert into convoy_rigs (convoy_id, rig_id, feature_branch, landing_state, attempts, landed_commit)
select convoy, 'f0000000-0000-4000-8000-000000000001', 'convoy/x/' || n || '/head', 'landed', 1, 'c0ffee' from over;

insert into convoy_tasks (bead_id, convoy_id, rig_id, idx, state, status, sent)
select id, convoy, 'f0000000-0000-4000-8000-000000000001', 0, 'closed', 'closed', 1 from over;

insert into convoy_edges (bead_id, blocker_id, convoy_id, cross_rig, state, told)
select id, before, convoy, 1, 'satisfied', 'satisfied' from over;

insert into mayor_inbox (message_id, source, body, state, created_at, sent_at, delivered_at)
select id, 'user', 'What is going on?', 'delivered', n, n, n from over;

insert into mayor_messages (message_id, parts, state, at)
select id, '[]', 'complete', n from over;

insert into escalations
  (escalation_id, dedup_key, severity, category, code, title, message, metadata, replies, raised_by, count, state, raises,
   created_at, closed_at)
select id, 'bead:' || n, 2, 'work', 'start_failures', 'It failed', 'It failed.', '{}', '[]', 'rig', 1, 'resolved', 0, n, n
from over;

insert into triage_requests
  (request_id, rig_id, type, agent_id, options, context, state, rounds, created_at, resolved_at)
select id, 'f0000000-0000-4000-8000-000000000001', 'stuck_agent', id, '[]', '{}', 'resolved', 1, n, n from over;

insert into mail
  (mail_id, from_kind, from_id, to_kind, to_id, thread_id, subject, body, created_at, read_at)
select id, 'agent', 'a', 'user', 'ann', id, 'A question', 'Why?', n, n from over;

insert into activity (at, kind, actor, data) select n, 'bead_changed', 'rig', '{}' from over;

insert into audit (at, actor, action, target, request_id, changes)
select n, 'ann', 'config', 'town', id, '[]' from over;

insert into metrics (start, name, value) select n, 'calls', 1 from over;

insert into usage (day, scope, tokens_in, tokens_out, cost_micros)
select date('2020-01-01', '+' || n || ' days'), 'mayor', 1, 1, 1 from over where n <= 400;

insert into usage (day, scope, tokens_in, tokens_out, cost_micros)
select 'all', 'convoy:' || convoy || ':f0000000-0000-4000-8000-000000000001', 1, 1, 1 from over;

insert into requests (key, body_hash, status, reply, created_at)
select id, 'hash', 200, '{}', n from over;
