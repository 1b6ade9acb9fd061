-- Mail for the agents of this rig.
create table mail (
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
) strict;
create index mail_undelivered on mail (to_agent) where delivered_at is null;
create index mail_by_age on mail (created_at);

-- Short texts pushed into sessions; each is shown once.
create table nudges (
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
create index nudges_pending on nudges (agent_id) where state = 'pending';

-- The steps of a molecule, in order.
create table steps (
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

-- What finished beads taught.
create table lessons (
  bead_id text primary key,
  title text not null,
  labels text not null,
  files text not null,
  summary text not null,
  findings text not null,
  outcome text not null,
  at integer not null
) strict;

-- Beads and mail in one list, so that the API can list every type.
create view bead_view as
  select bead_id, type, status, title, body, priority, created_by, created_at, updated_at from beads
  union all
  select mail_id, 'message', case when delivered_at is null then 'open' else 'closed' end,
         subject, body, 1, from_id, created_at, coalesce(delivered_at, created_at)
  from mail;
