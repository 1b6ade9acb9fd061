-- The named workers of this rig.
create table agents (
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

-- That one agent works on one bead. At most one live row per bead and per agent: indexes, not only rules.
create table assignments (
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
  ended_at integer,
  check ((phase = 'ended') = (ended_at is not null))
) strict;
create unique index assignments_live_bead on assignments (bead_id) where ended_at is null;
create unique index assignments_live_agent on assignments (agent_id) where ended_at is null;
create index assignments_by_bead on assignments (bead_id, epoch);
create index assignments_by_end on assignments (ended_at);
