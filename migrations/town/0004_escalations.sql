-- Things that a person should see; one open row per dedup key.
create table escalations (
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
) strict;
create unique index escalations_open on escalations (dedup_key) where state = 'open';
create index escalations_by_age on escalations (created_at);

-- Ambiguous cases that an agent tries to settle first.
create table triage_requests (
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
) strict;
create unique index triage_requests_open on triage_requests (agent_id, type) where state <> 'resolved';
