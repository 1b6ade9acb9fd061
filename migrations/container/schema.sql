-- The schema of `container` after all migrations. Written by a test; read by people.

CREATE TABLE container (
  only_row integer primary key check (only_row = 1),
  town_id text not null,
  owner_id text not null,
  is_needed integer not null default 0 check (is_needed in (0, 1)),
  state text not null check (state in ('stopped', 'starting', 'running', 'unhealthy', 'draining')),
  instance_id text,
  generation integer not null,
  protocol integer not null,
  version text,
  capabilities text not null default '[]',
  memory text not null default '{}',
  sessions integer not null default 0,
  sessions_max integer not null default 0,
  started_at integer,
  last_ok_at integer,
  failures integer not null,
  first_failure_at integer,
  window_at integer,
  restarts integer not null,
  exhausted_told integer not null default 0 check (exhausted_told in (0, 1)),
  last_stop_at integer,
  config_version integer not null,
  error text
, since integer not null default 0, pinged_at integer, start_failures integer not null default 0, not_before integer, restarted_at integer, end_by integer) strict;

CREATE TABLE snapshots (
  agent_id text not null,
  part integer not null,
  seq integer not null,
  bytes blob not null,
  primary key (agent_id, part)
) strict, without rowid;

CREATE TABLE tickets (
  ticket text primary key,
  purpose text not null,
  subject text not null,
  user_id text not null,
  expires_at integer not null
, guard text not null default '{}') strict;

CREATE INDEX tickets_by_age on tickets (expires_at);

CREATE TABLE transcripts (
  id integer primary key,
  agent_id text not null,
  assignment_id text not null,
  seq integer not null,
  kind text not null,
  data text not null,
  at integer not null
) strict;

CREATE INDEX transcripts_by_agent on transcripts (agent_id, id);

CREATE UNIQUE INDEX transcripts_by_seq on transcripts (assignment_id, seq);
