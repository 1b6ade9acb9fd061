-- The rig itself: its repository, its effective settings (absent until the town has sent them) with their version, and
-- what the town last said: paused, draining, breaker, budget, the runtime's instance.
create table rig (
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
) strict;

-- The audit log: one row per change, with the rule that made it.
create table events (
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
create index events_by_bead on events (bead_id, seq);
create index events_by_age on events (at);

-- The sliding window of the rig's breaker.
create table start_failures (
  seq integer primary key,
  at integer not null,
  code text not null
) strict;
create index start_failures_by_age on start_failures (at);
