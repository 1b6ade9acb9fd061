-- The schema of `rig` after all migrations. Written by a test; read by people.

CREATE TABLE agents (
  agent_id text primary key,
  role text not null check (role in ('polecat', 'refinery', 'mayor')),
  name text not null,
  name_key text not null unique,
  identity text not null unique,
  checkpoint text,
  status_message text check (length(status_message) between 1 and 280),
  status_message_at integer,
  last_activity_at integer,
  idle_since integer,
  created_at integer not null,
  version integer not null default 1
) strict;

CREATE TABLE assignments (
  assignment_id text primary key,
  epoch integer not null unique,
  bead_id text not null,
  bead_attempt integer not null,
  agent_id text not null,
  kind text not null
    check (kind in ('work', 'rework', 'review', 'landing', 'conflict', 'feedback', 'fixup', 'triage')),
  phase text not null check (phase in ('queued', 'starting', 'running', 'finishing', 'ended')),
  step text check (step in ('accepted', 'cloning', 'worktree', 'booting')),
  slot text not null check (slot in ('none', 'asked', 'granted')),
  is_probe integer not null default 0 check (is_probe in (0, 1)),
  model text,
  small_model text,
  model_reason text,
  branch text,
  base text,
  target text,
  head_commit text,
  instance_id text,
  ordered_at integer,
  order_due integer,
  refusal text,
  lease_until integer,
  probe_until integer,
  last_heartbeat_at integer,
  last_progress_at integer,
  active_tools text not null default '[]',
  gupp_tier integer not null default 0,
  idle_since integer,
  idle_nudges integer not null default 0,
  pending text check (pending in ('stopped', 'budget', 'failed')),
  outcome text check (outcome in (
    'done', 'approved', 'changes_requested', 'rejected', 'stopped', 'failed', 'start_failed', 'lost', 'evicted', 'budget'
  )),
  code text,
  message text,
  summary text,
  checkpoint text,
  saved text,
  tokens_in integer not null default 0,
  tokens_out integer not null default 0,
  cost_micros integer not null default 0,
  queued_at integer not null,
  started_at integer,
  running_at integer,
  ended_at integer, idle_nudged_at integer,
  check ((phase = 'ended') = (ended_at is not null))
) strict;

CREATE INDEX assignments_by_agent on assignments (agent_id, epoch);

CREATE INDEX assignments_by_bead on assignments (bead_id, epoch);

CREATE INDEX assignments_by_end on assignments (ended_at);

CREATE UNIQUE INDEX assignments_live_agent on assignments (agent_id) where ended_at is null;

CREATE UNIQUE INDEX assignments_live_bead on assignments (bead_id) where ended_at is null;

CREATE TABLE bead_labels (
  bead_id text not null,
  label text not null,
  primary key (bead_id, label)
) strict, without rowid;

CREATE INDEX bead_labels_by_label on bead_labels (label);

CREATE TABLE beads (
  bead_id text primary key,
  type text not null check (type in ('issue', 'merge_request', 'molecule')),
  status text not null check (status in ('open', 'in_progress', 'in_review', 'closed', 'failed')),
  attempt integer not null default 1,
  title text not null,
  body text,
  priority integer not null default 1 check (priority between 0 and 3),
  metadata text not null,
  parent_id text,
  root_id text not null,
  age_at integer not null,
  convoy_id text,
  staged integer not null default 0 check (staged in (0, 1)),
  branch text,
  base text,
  target text,
  head_commit text,
  model text,
  budget_micros integer,
  start_failures integer not null default 0,
  lost_leases integer not null default 0,
  agent_errors integer not null default 0,
  not_before integer,
  dispatches integer not null default 0,
  preferred_agent text,
  claimed_by text,
  claimed_until integer,
  parked text,
  failure text,
  outcome text check (outcome in ('merged', 'done', 'no_change', 'closed_by_user', 'cancelled')),
  checkpoint text,
  tokens_in integer not null default 0,
  tokens_out integer not null default 0,
  cost_micros integer not null default 0,
  created_by text not null,
  created_at integer not null,
  updated_at integer not null,
  closed_at integer,
  version integer not null default 1, branch_digits integer not null default 8, budget_warned integer not null default 0 check (budget_warned in (0, 1)), saved text, skipped integer not null default 0 check (skipped in (0, 1)),
  check ((status = 'closed') = (closed_at is not null and outcome is not null)),
  check ((status = 'failed') = (failure is not null))
) strict;

CREATE INDEX beads_by_age on beads (created_at, bead_id);

CREATE INDEX beads_by_convoy on beads (convoy_id);

CREATE INDEX beads_by_parent on beads (parent_id);

CREATE INDEX beads_by_root on beads (root_id);

CREATE INDEX beads_by_type on beads (type, status, created_at);

CREATE INDEX beads_live on beads (status, priority, age_at) where status in ('open', 'in_progress', 'in_review');

CREATE TABLE dependencies (
  bead_id text not null,
  blocker_id text not null,
  cross_rig integer not null check (cross_rig in (0, 1)),
  state text not null check (state in ('pending', 'satisfied', 'failed', 'waived')),
  primary key (bead_id, blocker_id)
) strict, without rowid;

CREATE INDEX dependencies_by_blocker on dependencies (blocker_id);

CREATE TABLE events (
  seq integer primary key,
  at integer not null,
  type text not null,
  bead_id text,
  agent_id text,
  assignment_id text,
  actor text not null,
  rule text,
  old text,
  new text,
  cause integer,
  data text not null
) strict;

CREATE INDEX events_by_age on events (at);

CREATE INDEX events_by_agent on events (agent_id, seq);

CREATE INDEX events_by_bead on events (bead_id, seq);

CREATE TABLE former_agents (
  agent_id text primary key,
  role text not null,
  name text not null,
  identity text not null,
  created_at integer not null
) strict;

CREATE TABLE gate_runs (
  run_id text primary key,
  review_id text not null,
  commit_id text,
  onto text,
  result text not null check (result in ('running', 'green', 'red', 'error')),
  gates text not null,
  created_at integer not null,
  ended_at integer
) strict;

CREATE INDEX gate_runs_by_commit on gate_runs (commit_id, onto);

CREATE INDEX gate_runs_by_review on gate_runs (review_id, created_at);

CREATE TABLE inbox (
  sender text primary key,
  stream text not null,
  last_seq integer not null
) strict, without rowid;

CREATE TABLE jobs (
  job_id text primary key,
  kind text not null check (kind in ('gates', 'merge')),
  review_id text,
  spec text not null,
  phase text not null check (phase in ('ordered', 'accepted', 'ended')),
  orders integer not null default 0,
  lease_until integer,
  result text,
  created_at integer not null,
  ended_at integer
) strict;

CREATE INDEX jobs_by_end on jobs (ended_at) where ended_at is not null;

CREATE INDEX jobs_by_review on jobs (review_id);

CREATE INDEX jobs_live on jobs (created_at) where ended_at is null;

CREATE TABLE lessons (
  bead_id text primary key,
  title text not null,
  labels text not null,
  files text not null,
  summary text not null,
  findings text not null,
  outcome text not null,
  at integer not null
) strict;

CREATE TABLE mail (
  mail_id text primary key,
  from_kind text not null,
  from_id text not null,
  to_agent text,
  bead_id text,
  thread_id text not null,
  reply_to text,
  subject text not null,
  body text not null,
  created_at integer not null,
  sent_at integer,
  delivered_at integer,
  delivered_to text,
  expires_at integer
, expired_at integer) strict;

CREATE INDEX mail_by_age on mail (created_at);

CREATE INDEX mail_by_agent on mail (to_agent, created_at);

CREATE INDEX mail_by_bead on mail (bead_id) where bead_id is not null;

CREATE INDEX mail_by_receiver on mail (delivered_to);

CREATE INDEX mail_undelivered on mail (to_agent) where delivered_at is null and expired_at is null;

CREATE TABLE nudges (
  nudge_id text primary key,
  agent_id text not null,
  assignment_id text,
  message text not null,
  mode text not null check (mode in ('immediate', 'wait-idle', 'queue')),
  priority text not null check (priority in ('normal', 'urgent')),
  source text not null,
  state text not null check (state in ('pending', 'sent', 'delivered', 'expired')),
  created_at integer not null,
  sent_at integer,
  expires_at integer
) strict;

CREATE INDEX nudges_by_age on nudges (created_at);

CREATE INDEX nudges_live on nudges (agent_id) where state in ('pending', 'sent');

CREATE TABLE outbox (
  receiver text not null,
  seq integer not null,
  kind text not null,
  subject text,
  body text not null,
  created_at integer not null,
  sent_at integer,
  primary key (receiver, seq)
) strict, without rowid;

CREATE TABLE outbox_next (
  receiver text primary key,
  next_seq integer not null
) strict, without rowid;

CREATE TABLE pr_watches (
  review_id text primary key,
  url text not null,
  provider text not null,
  repo text not null,
  number integer not null,
  state text not null check (state in ('open', 'merged', 'closed', 'degraded')),
  head_commit text,
  etag text,
  poll_at integer not null,
  polled_at integer,
  mergeable text not null,
  checks text not null check (checks in ('none', 'pending', 'green', 'red')),
  threads integer not null default 0,
  awaiting_approval integer not null default 0 check (awaiting_approval in (0, 1)),
  changes_requested integer not null default 0 check (changes_requested in (0, 1)),
  green_since integer,
  conflict_episode integer not null default 0,
  transient integer not null default 0,
  shape integer not null default 0,
  refused integer not null default 0,
  error text
, unanswered integer not null default 0 check (unanswered in (0, 1)), feedback text not null default '[]') strict;

CREATE TABLE requests (
  key text primary key,
  body_hash text not null,
  status integer not null,
  reply text not null,
  created_at integer not null
) strict;

CREATE INDEX requests_by_age on requests (created_at);

CREATE TABLE reviews (
  bead_id text primary key,
  kind text not null check (kind in ('task', 'landing')),
  source_id text,
  convoy_id text,
  branch text not null,
  target text not null,
  strategy text not null check (strategy in ('direct', 'pr')),
  state text not null check (state in (
    'queued', 'reviewing', 'changes_requested', 'reworking', 'approved', 'merging', 'pr_open', 'merged', 'rejected'
  )),
  sub text,
  head_commit text,
  reviewed_commit text,
  verdict text check (verdict in ('approve', 'request_changes', 'reject')),
  verdict_by text,
  round integer not null default 0,
  feedback_round integer not null default 0,
  child_id text,
  merge_ordered integer not null default 0 check (merge_ordered in (0, 1)),
  merge_tries integer not null default 0,
  merge_commit text,
  author_agent text,
  summary text,
  queued_at integer not null,
  not_before integer,
  ended_at integer
, forge_due integer, dismissed_at integer, empty_commit text) strict;

CREATE INDEX reviews_by_source on reviews (source_id, queued_at);

CREATE INDEX reviews_live on reviews (target, state) where ended_at is null;

CREATE UNIQUE INDEX reviews_live_source on reviews (source_id) where ended_at is null;

CREATE TABLE rig (
  rig_id text primary key,
  town_id text not null,
  tag text not null,
  git_url text not null,
  default_branch text not null,
  target_branch text not null,
  state text not null check (state in ('active', 'paused', 'deleting')),
  settings text,
  wanted_version integer not null,
  town_state text not null,
  breaker text not null,
  next_epoch integer not null
, drain_epoch integer not null default 0, pruned_at integer) strict;

CREATE TABLE rounds (
  review_id text not null,
  n integer not null,
  commit_id text not null,
  verdict text not null,
  by text not null,
  summary text not null,
  findings text not null,
  gate_run text,
  child_id text,
  at integer not null, post_due integer,
  primary key (review_id, n)
) strict, without rowid;

CREATE TABLE start_failures (
  seq integer primary key,
  at integer not null,
  code text not null
) strict;

CREATE INDEX start_failures_by_age on start_failures (at);

CREATE TABLE steps (
  molecule_id text not null,
  idx integer not null,
  step_id text not null unique,
  title text not null,
  instructions text not null,
  state text not null check (state in ('open', 'closed')),
  summary text,
  closed_at integer,
  primary key (molecule_id, idx)
) strict, without rowid;

CREATE TABLE usage (
  scope text primary key,
  tokens_in integer not null,
  tokens_out integer not null,
  cost_micros integer not null
) strict, without rowid;

CREATE VIEW bead_view as
  select bead_id, type, status, title, body, priority, created_by, created_at, updated_at from beads
  union all
  select mail_id, 'message', case when delivered_at is null then 'open' else 'closed' end,
         subject, body, 1, from_id, created_at, coalesce(delivered_at, created_at)
  from mail;
