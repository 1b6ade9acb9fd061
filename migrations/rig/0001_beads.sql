-- Units of record that have work behind them. Messages are rows of `mail`, agents of `agents`.
create table beads (
  bead_id text primary key,
  type text not null check (type in ('issue', 'merge_request', 'molecule')),
  status text not null check (status in ('open', 'in_progress', 'in_review', 'closed', 'failed')),
  attempt integer not null default 1,
  title text not null,
  body text,
  priority integer not null default 1 check (priority between 0 and 3),
  metadata text not null,
  parent_id text,
  root_id text not null,
  age_at integer not null,
  convoy_id text,
  staged integer not null default 0 check (staged in (0, 1)),
  branch text,
  base text,
  target text,
  head_commit text,
  model text,
  budget_micros integer,
  start_failures integer not null default 0,
  lost_leases integer not null default 0,
  agent_errors integer not null default 0,
  not_before integer,
  dispatches integer not null default 0,
  preferred_agent text,
  claimed_by text,
  claimed_until integer,
  parked text,
  failure text,
  outcome text check (outcome in ('merged', 'done', 'no_change', 'closed_by_user', 'cancelled')),
  checkpoint text,
  tokens_in integer not null default 0,
  tokens_out integer not null default 0,
  cost_micros integer not null default 0,
  created_by text not null,
  created_at integer not null,
  updated_at integer not null,
  closed_at integer,
  version integer not null default 1,
  check ((status = 'closed') = (closed_at is not null and outcome is not null)),
  check ((status = 'failed') = (failure is not null))
) strict;
create index beads_live on beads (status, priority, age_at) where status in ('open', 'in_progress', 'in_review');
create index beads_by_type on beads (type, status, created_at);
create index beads_by_parent on beads (parent_id);
create index beads_by_root on beads (root_id);
create index beads_by_convoy on beads (convoy_id);

create table bead_labels (
  bead_id text not null,
  label text not null,
  primary key (bead_id, label)
) strict, without rowid;
create index bead_labels_by_label on bead_labels (label);

-- Who waits for whom. `cross_rig`: the blocker lives in another rig, and the town forwards the news.
create table dependencies (
  bead_id text not null,
  blocker_id text not null,
  cross_rig integer not null check (cross_rig in (0, 1)),
  state text not null check (state in ('pending', 'satisfied', 'failed', 'waived')),
  primary key (bead_id, blocker_id)
) strict, without rowid;
create index dependencies_by_blocker on dependencies (blocker_id);
