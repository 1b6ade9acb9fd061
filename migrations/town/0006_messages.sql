-- Mail whose one end is the mayor or a user; mail between agents lives in their rigs.
create table mail (
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
) strict;
create index mail_by_age on mail (created_at);

-- The feed: one row per committed change of the town, its rigs and its runtime, in one total order.
create table activity (
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
create index activity_by_rig on activity (rig_id, seq);
create index activity_by_age on activity (at);

-- Who changed what; secrets are masked before they get here.
create table audit (
  seq integer primary key,
  at integer not null,
  actor text not null,
  action text not null,
  target text not null,
  request_id text not null,
  changes text not null
) strict;
create index audit_by_age on audit (at);

-- Counters in half-hour buckets, kept 30 days.
create table metrics (
  start integer not null,
  name text not null,
  value integer not null,
  primary key (start, name)
) strict, without rowid;
