-- The town's runtime as this object knows it; one row.
create table container (
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
) strict;

-- What agents said and did, as the runtime reported it; a ring per agent.
create table transcripts (
  id integer primary key,
  agent_id text not null,
  assignment_id text not null,
  seq integer not null,
  kind text not null,
  data text not null,
  at integer not null
) strict;
create unique index transcripts_by_seq on transcripts (assignment_id, seq);
create index transcripts_by_agent on transcripts (agent_id, id);

-- Tickets for streams: digest, purpose, subject; deleted at first use.
create table tickets (
  ticket text primary key,
  purpose text not null,
  subject text not null,
  user_id text not null,
  expires_at integer not null
) strict;

-- The mayor's conversation in parts; an older seq never replaces a newer one.
create table snapshots (
  agent_id text not null,
  part integer not null,
  seq integer not null,
  bytes blob not null,
  primary key (agent_id, part)
) strict, without rowid;
