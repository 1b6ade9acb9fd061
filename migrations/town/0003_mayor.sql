-- The mayor's one row: an assignment without a bead.
create table mayor (
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
) strict;

-- Messages to the mayor, each delivered once.
create table mayor_inbox (
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
create index mayor_inbox_undelivered on mayor_inbox (created_at) where state in ('queued', 'sent');
create index mayor_inbox_by_age on mayor_inbox (created_at);
