-- A DAG of tasks over one or more rigs. `attention` is what a person has to decide.
create table convoys (
  convoy_id text primary key,
  title text not null,
  slug text not null,
  state text not null check (state in ('staged', 'active', 'landing', 'landed', 'aborted')),
  merge_mode text not null check (merge_mode in ('review-then-land', 'review-and-merge')),
  budget_micros integer,
  metadata text not null,
  attention text not null,
  total integer not null,
  closed integer not null,
  failed integer not null,
  skipped integer not null,
  created_by text not null,
  closed_by text,
  created_at integer not null,
  started_at integer,
  landed_at integer,
  ended_at integer,
  version integer not null default 1
) strict;
create index convoys_live on convoys (state, created_at) where state in ('staged', 'active', 'landing');

-- The part of a convoy in one rig: its feature branch and its landing.
create table convoy_rigs (
  convoy_id text not null,
  rig_id text not null,
  feature_branch text,
  landing_state text not null check (landing_state in ('none', 'open', 'landed')),
  landing_bead text,
  attempts integer not null default 0,
  next_at integer,
  last_error text,
  landed_commit text,
  primary key (convoy_id, rig_id)
) strict, without rowid;

-- The tasks of a convoy as their rigs last reported them.
create table convoy_tasks (
  bead_id text primary key,
  convoy_id text not null,
  rig_id text not null,
  idx integer not null,
  state text not null check (state in ('live', 'closed', 'failed', 'skipped')),
  status text not null,
  sent integer not null default 0 check (sent in (0, 1))
) strict;
create index convoy_tasks_by_convoy on convoy_tasks (convoy_id);

-- Who waits for whom. `cross_rig`: the two lie in different rigs, and the town forwards the news.
create table convoy_edges (
  bead_id text not null,
  blocker_id text not null,
  convoy_id text not null,
  cross_rig integer not null check (cross_rig in (0, 1)),
  state text not null check (state in ('pending', 'satisfied', 'failed', 'waived')),
  primary key (bead_id, blocker_id)
) strict, without rowid;
create index convoy_edges_by_blocker on convoy_edges (blocker_id);
