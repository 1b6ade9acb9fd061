-- The schema of `town` after all migrations. Written by a test; read by people.

CREATE TABLE activity (
  seq integer primary key,
  at integer not null,
  kind text not null,
  rig_id text,
  bead_id text,
  agent_id text,
  convoy_id text,
  actor text not null,
  data text not null
) strict;

CREATE INDEX activity_by_age on activity (at);

CREATE INDEX activity_by_rig on activity (rig_id, seq);

CREATE TABLE audit (
  seq integer primary key,
  at integer not null,
  actor text not null,
  action text not null,
  target text not null,
  request_id text not null,
  changes text not null
) strict;

CREATE INDEX audit_by_age on audit (at);

CREATE TABLE breaker (
  only_row integer primary key check (only_row = 1),
  state text not null check (state in ('closed', 'open', 'half_open')),
  opened_at integer,
  until integer,
  reason text,
  announced integer not null default 0 check (announced in (0, 1))
) strict;

CREATE TABLE convoy_edges (
  bead_id text not null,
  blocker_id text not null,
  convoy_id text not null,
  cross_rig integer not null check (cross_rig in (0, 1)),
  state text not null check (state in ('pending', 'satisfied', 'failed', 'waived')), told text not null default 'pending'
  check (told in ('pending', 'satisfied', 'failed', 'waived')),
  primary key (bead_id, blocker_id)
) strict, without rowid;

CREATE INDEX convoy_edges_by_blocker on convoy_edges (blocker_id);

CREATE TABLE convoy_rigs (
  convoy_id text not null,
  rig_id text not null,
  feature_branch text,
  landing_state text not null check (landing_state in ('none', 'open', 'landed')),
  landing_bead text,
  attempts integer not null default 0,
  next_at integer,
  last_error text,
  landed_commit text, landed_at integer,
  primary key (convoy_id, rig_id)
) strict, without rowid;

CREATE TABLE convoy_tasks (
  bead_id text primary key,
  convoy_id text not null,
  rig_id text not null,
  idx integer not null,
  state text not null check (state in ('live', 'closed', 'failed', 'skipped')),
  status text not null,
  sent integer not null default 0 check (sent in (0, 1))
, attempt integer not null default 1, merged_into text, failure text, shown text not null default '{}') strict;

CREATE INDEX convoy_tasks_by_convoy on convoy_tasks (convoy_id);

CREATE TABLE convoys (
  convoy_id text primary key,
  title text not null,
  slug text not null,
  state text not null check (state in ('staged', 'active', 'landing', 'landed', 'aborted')),
  merge_mode text not null check (merge_mode in ('review-then-land', 'review-and-merge')),
  budget_micros integer,
  metadata text not null,
  attention text not null,
  total integer not null,
  closed integer not null,
  failed integer not null,
  skipped integer not null,
  created_by text not null,
  closed_by text,
  created_at integer not null,
  started_at integer,
  landed_at integer,
  ended_at integer,
  version integer not null default 1
) strict;

CREATE INDEX convoys_by_age on convoys (created_at, convoy_id);

CREATE INDEX convoys_live on convoys (state, created_at) where state in ('staged', 'active', 'landing');

CREATE TABLE day_budget (
  only_row integer primary key check (only_row = 1),
  day text not null,
  warned integer not null check (warned in (0, 1)),
  reached integer not null check (reached in (0, 1))
) strict;

CREATE TABLE "drain" (
  only_row integer primary key check (only_row = 1),
  state text not null check (state in ('none', 'draining')),
  nonce text,
  instance_id text,
  started_at integer,
  check (state = 'draining' or (nonce is null and started_at is null))
) strict;

CREATE TABLE escalations (
  escalation_id text primary key,
  dedup_key text not null,
  severity integer not null check (severity between 0 and 3),
  category text not null,
  code text not null,
  title text not null,
  message text not null,
  rig_id text,
  bead_id text,
  agent_id text,
  assignment_id text,
  convoy_id text,
  metadata text not null,
  replies text not null,
  raised_by text not null,
  count integer not null,
  state text not null check (state in ('open', 'acknowledged', 'resolved')),
  raises integer not null,
  next_raise_at integer,
  created_at integer not null,
  closed_at integer,
  closed_by text,
  version integer not null default 1
, choices text not null default '[]', raised_by_name text, told integer check (told between 0 and 3), updated_at integer not null default 0) strict;

CREATE INDEX escalations_by_age on escalations (created_at);

CREATE INDEX escalations_by_rig on escalations (rig_id, created_at);

CREATE UNIQUE INDEX escalations_open on escalations (dedup_key) where state = 'open';

CREATE TABLE inbox (
  sender text primary key,
  stream text not null,
  last_seq integer not null
) strict, without rowid;

CREATE TABLE mail (
  mail_id text primary key,
  from_kind text not null,
  from_id text not null,
  to_kind text not null check (to_kind in ('mayor', 'user')),
  to_id text,
  thread_id text not null,
  reply_to text,
  subject text not null,
  body text not null,
  created_at integer not null,
  read_at integer
, from_name text not null default '', from_rig text) strict;

CREATE INDEX mail_by_age on mail (created_at);

CREATE TABLE mayor (
  agent_id text primary key,
  identity text not null,
  assignment_id text,
  epoch integer not null,
  phase text not null check (phase in ('absent', 'starting', 'running', 'finishing')),
  activity text not null check (activity in ('waiting', 'working')),
  since integer not null,
  model text,
  small_model text,
  reason text,
  swap_wanted integer not null default 0 check (swap_wanted in (0, 1)),
  ordered_at integer,
  lease_until integer,
  probe_until integer,
  start_failures integer not null default 0,
  not_before integer,
  last_user_at integer,
  last_activity_at integer
, instance_id text, error text, wanted_at integer, tokens_in integer not null default 0, tokens_out integer not null default 0, cost_micros integer not null default 0, notices text not null default '{"sent":[],"pending":[]}') strict;

CREATE TABLE mayor_inbox (
  message_id text primary key,
  source text not null check (source in ('user', 'system', 'agent')),
  source_id text,
  body text not null,
  ui_context text,
  state text not null check (state in ('queued', 'sent', 'delivered')),
  created_at integer not null,
  sent_at integer,
  delivered_at integer
) strict;

CREATE INDEX mayor_inbox_by_age on mayor_inbox (created_at);

CREATE INDEX mayor_inbox_undelivered on mayor_inbox (created_at) where state in ('queued', 'sent');

CREATE TABLE mayor_messages (
  message_id text primary key,
  parts text not null,
  state text not null check (state in ('streaming', 'complete', 'failed')),
  at integer not null
) strict;

CREATE INDEX mayor_messages_by_age on mayor_messages (at);

CREATE TABLE metrics (
  start integer not null,
  name text not null,
  value integer not null,
  primary key (start, name)
) strict, without rowid;

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

CREATE TABLE requests (
  key text primary key,
  body_hash text not null,
  status integer not null,
  reply text not null,
  created_at integer not null
) strict;

CREATE INDEX requests_by_age on requests (created_at);

CREATE TABLE rigs (
  rig_id text primary key,
  tag text not null unique,
  name text not null check (length(name) between 1 and 64),
  git_url text not null,
  default_branch text not null,
  target_branch text,
  purpose text,
  integration_id text,
  config text not null,
  config_version integer not null default 1,
  state text not null check (state in ('active', 'paused', 'deleting')),
  access text not null default '{"state":"unknown"}',
  needs_container integer not null default 0 check (needs_container in (0, 1)),
  live integer not null default 0,
  queued integer not null default 0,
  next_deadline integer,
  reported_at integer,
  created_at integer not null,
  updated_at integer not null,
  version integer not null default 1
, live_assignments text not null default '[]', jobs integer not null default 0) strict;

CREATE UNIQUE INDEX rigs_by_name on rigs (lower(name));

CREATE TABLE runtime (
  only_row integer primary key check (only_row = 1),
  awake integer not null check (awake in (0, 1)),
  quiet_since integer,
  stopped_at integer,
  pruned_at integer
) strict;

CREATE TABLE secrets (
  name text primary key,
  value text not null,
  last4 text not null,
  updated_at integer not null,
  updated_by text not null
) strict;

CREATE TABLE slots (
  assignment_id text primary key,
  rig_id text not null,
  bead_id text not null,
  convoy_id text,
  kind text not null,
  priority integer not null check (priority between 0 and 3),
  age_at integer not null,
  requested_at integer not null,
  granted_at integer,
  probe integer not null default 0 check (probe in (0, 1))
) strict;

CREATE INDEX slots_by_order on slots (granted_at, priority, age_at);

CREATE TABLE start_failures (
  seq integer primary key,
  rig_id text,
  at integer not null,
  code text not null
) strict;

CREATE INDEX start_failures_by_age on start_failures (at);

CREATE TABLE town (
  town_id text primary key,
  name text not null check (length(name) between 1 and 64),
  account_kind text not null check (account_kind in ('user', 'org')),
  account_id text not null,
  created_by text not null,
  created_at integer not null,
  updated_at integer not null,
  state text not null check (state in ('active', 'paused', 'deleting')),
  config text not null,
  config_version integer not null,
  secrets_version integer not null,
  credential_gen integer not null,
  next_epoch integer not null,
  version integer not null default 1
, pause text) strict;

CREATE TABLE triage_requests (
  request_id text primary key,
  rig_id text not null,
  type text not null,
  agent_id text,
  bead_id text,
  assignment_id text,
  options text not null,
  context text not null,
  escalation_id text,
  state text not null check (state in ('open', 'batched', 'resolved')),
  batch_bead text,
  rounds integer not null default 0,
  action text,
  notes text,
  created_at integer not null
, batch_is_live integer not null default 0 check (batch_is_live in (0, 1)), not_before integer, resolved_by text, resolved_at integer) strict;

CREATE INDEX triage_requests_by_end on triage_requests (resolved_at);

CREATE INDEX triage_requests_in_view on triage_requests (rig_id) where state <> 'resolved' or batch_is_live = 1;

CREATE UNIQUE INDEX triage_requests_open on triage_requests (agent_id, type) where state <> 'resolved';

CREATE TABLE usage (
  day text not null,
  scope text not null,
  tokens_in integer not null,
  tokens_out integer not null,
  cost_micros integer not null,
  primary key (day, scope)
) strict, without rowid;
