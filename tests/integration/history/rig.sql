-- What a rig keeps of work that is over: for each number of `over`, an issue (odd) or its review (even), with all that
-- was written on the way. Live rows are not touched.

insert into beads
  (bead_id, type, status, title, body, metadata, parent_id, root_id, age_at, convoy_id, branch, base, target, head_commit,
   dispatches, outcome, tokens_in, tokens_out, cost_micros, created_by, created_at, updated_at, closed_at)
select id, iif(n % 2, 'issue', 'merge_request'), 'closed', 'Fix number ' || n, 'It is wrong, and shall be right.', '{}',
       iif(n % 2, null, before), iif(n % 2, id, before), n, iif(n % 10 = 1, convoy, null), 'polecat/toast/' || n, 'main',
       'main', 'c0ffee' || n, 1, 'merged', 90000, 8000, 250000, 'ann', n, n + 60000, n + 60000
from over;

insert into bead_labels (bead_id, label)
select id, iif(n % 2, 'bug', 'gt:merge-request') from over;

insert into dependencies (bead_id, blocker_id, cross_rig, state)
select id, before, 0, 'satisfied' from over where n % 2 and n > 1;

insert into assignments
  (assignment_id, epoch, bead_id, bead_attempt, agent_id, kind, phase, slot, model, branch, base, target, outcome, summary,
   tokens_in, tokens_out, cost_micros, queued_at, started_at, running_at, ended_at)
select id, 1000000 + n, id, 1, 'a0000000-0000-4000-8000-00000000000' || (n % 10), iif(n % 2, 'work', 'review'), 'ended',
       'granted', 'anthropic/claude-sonnet-4.6', 'polecat/toast/' || n, 'main', 'main', iif(n % 2, 'done', 'approved'),
       'It is right.', 90000, 8000, 250000, n, n, n + 1000, n + 60000
from over;

insert into reviews
  (bead_id, kind, source_id, branch, target, strategy, state, head_commit, reviewed_commit, verdict, verdict_by, round,
   merge_tries, merge_commit, queued_at, ended_at)
select id, 'task', before, 'polecat/toast/' || n, 'main', iif(n % 4, 'direct', 'pr'), 'merged', 'c0ffee' || n,
       'c0ffee' || n, 'approve', 'refinery', 1, 1, 'feed' || n, n, n + 60000
from over where n % 2 = 0;

insert into rounds (review_id, n, commit_id, verdict, by, summary, findings, at)
select id, 1, 'c0ffee' || n, 'request_changes', 'refinery', 'Not yet.', '[]', n from over where n % 2 = 0;

insert into gate_runs (run_id, review_id, commit_id, result, gates, created_at, ended_at)
select id, id, 'c0ffee' || n, 'green', '[]', n, n + 60000 from over where n % 2 = 0;

insert into pr_watches
  (review_id, url, provider, repo, number, state, poll_at, mergeable, checks)
select id, 'https://github.com/acme/api/pull/' || n, 'github', 'acme/api', n, 'merged', n, 'clean', 'green'
from over where n % 4 = 0;

insert into jobs (job_id, kind, review_id, spec, phase, orders, created_at, ended_at)
select id, 'merge', id, '{}', 'ended', 1, n, n + 60000 from over where n % 2 = 0;

insert into mail
  (mail_id, from_kind, from_id, to_agent, bead_id, thread_id, subject, body, created_at, delivered_at, delivered_to)
select id, 'user', 'ann', 'a0000000-0000-4000-8000-00000000000' || (n % 10), id, id, 'A question', 'Why?', n, n + 1000, id
from over;

insert into nudges (nudge_id, agent_id, message, mode, priority, source, state, created_at)
select id, 'a0000000-0000-4000-8000-00000000000' || (n % 10), 'Say why.', 'queue', 'normal', 'idle', 'delivered', n
from over;

insert into steps (molecule_id, idx, step_id, title, instructions, state, summary, closed_at)
select id, 0, id, 'Read', 'Read it.', 'closed', 'It is read.', n from over where n % 10 = 1;

insert into events (at, type, bead_id, actor, old, new, data)
select n + 60000, 'status_changed', id, 'merge', 'in_review', 'closed', '{}' from over;

insert into lessons (bead_id, title, labels, files, summary, findings, outcome, at)
select id, 'Fix number ' || n, '["bug"]', '["src/a.rs"]', 'It is right.', '', 'merged', n from over where n <= 500;

insert into former_agents (agent_id, role, name, identity, created_at)
select id, 'polecat', 'Polecat-' || (n + 20), 'Polecat-' || (n + 20), n from over where n % 10 = 1;

insert into usage (scope, tokens_in, tokens_out, cost_micros)
select 'convoy:' || convoy, 90000, 8000, 250000 from over where n % 10 = 1;

insert into usage (scope, tokens_in, tokens_out, cost_micros)
select 'day:' || date('2020-01-01', '+' || n || ' days'), 90000, 8000, 250000 from over where n <= 400;

insert into requests (key, body_hash, status, reply, created_at)
select id, 'hash', 200, '{}', n from over;
