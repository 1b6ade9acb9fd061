-- Session slots, asked and granted. A slot is the only permission to start a session.
create table slots (
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
create index slots_by_order on slots (granted_at, priority, age_at);

-- The sliding window of the breaker.
create table start_failures (
  seq integer primary key,
  rig_id text,
  at integer not null,
  code text not null
) strict;
create index start_failures_by_age on start_failures (at);

-- The town's breaker; one row.
create table breaker (
  only_row integer primary key check (only_row = 1),
  state text not null check (state in ('closed', 'open', 'half_open')),
  opened_at integer,
  until integer,
  reason text,
  announced integer not null default 0 check (announced in (0, 1))
) strict;

-- The orderly end of a runtime; one row.
create table drain (
  only_row integer primary key check (only_row = 1),
  state text not null check (state in ('none', 'draining')),
  nonce text not null,
  epoch integer not null,
  instance_id text,
  started_at integer not null
) strict;

-- Spend by day and scope; each number is the largest total reported.
create table usage (
  day text not null,
  scope text not null,
  tokens_in integer not null,
  tokens_out integer not null,
  cost_micros integer not null,
  primary key (day, scope)
) strict, without rowid;
