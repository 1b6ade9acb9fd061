-- The review of one branch; its bead is the merge_request.
create table reviews (
  bead_id text primary key,
  kind text not null check (kind in ('task', 'landing')),
  source_id text,
  convoy_id text,
  branch text not null,
  target text not null,
  strategy text not null check (strategy in ('direct', 'pr')),
  state text not null check (state in (
    'queued', 'reviewing', 'changes_requested', 'reworking', 'approved', 'merging', 'pr_open', 'merged', 'rejected'
  )),
  sub text,
  head_commit text,
  reviewed_commit text,
  verdict text check (verdict in ('approve', 'request_changes', 'reject')),
  verdict_by text,
  round integer not null default 0,
  feedback_round integer not null default 0,
  child_id text,
  merge_ordered integer not null default 0 check (merge_ordered in (0, 1)),
  merge_tries integer not null default 0,
  merge_commit text,
  author_agent text,
  summary text,
  queued_at integer not null,
  not_before integer,
  ended_at integer
) strict;
create index reviews_live on reviews (target, state) where ended_at is null;
create unique index reviews_live_source on reviews (source_id) where ended_at is null;

-- One request for changes with the work that answers it.
create table rounds (
  review_id text not null,
  n integer not null,
  commit_id text not null,
  verdict text not null,
  by text not null,
  summary text not null,
  findings text not null,
  gate_run text,
  child_id text,
  at integer not null,
  primary key (review_id, n)
) strict, without rowid;

-- Runs of the rig's gates at one commit, or at a trial merge into `onto`.
create table gate_runs (
  run_id text primary key,
  review_id text not null,
  commit_id text,
  onto text,
  result text not null check (result in ('running', 'green', 'red', 'error')),
  gates text not null,
  created_at integer not null,
  ended_at integer
) strict;
create index gate_runs_by_commit on gate_runs (commit_id, onto);

-- Pull requests that are being followed.
create table pr_watches (
  review_id text primary key,
  url text not null,
  provider text not null,
  repo text not null,
  number integer not null,
  state text not null check (state in ('open', 'merged', 'closed', 'degraded')),
  head_commit text,
  etag text,
  poll_at integer not null,
  polled_at integer,
  mergeable text not null,
  checks text not null check (checks in ('none', 'pending', 'green', 'red')),
  threads integer not null default 0,
  awaiting_approval integer not null default 0 check (awaiting_approval in (0, 1)),
  changes_requested integer not null default 0 check (changes_requested in (0, 1)),
  green_since integer,
  conflict_episode integer not null default 0,
  transient integer not null default 0,
  shape integer not null default 0,
  refused integer not null default 0,
  error text
) strict;

-- Work of the runtime without an agent.
create table jobs (
  job_id text primary key,
  kind text not null check (kind in ('gates', 'merge')),
  review_id text,
  spec text not null,
  phase text not null check (phase in ('ordered', 'accepted', 'ended')),
  orders integer not null default 0,
  lease_until integer,
  result text,
  created_at integer not null,
  ended_at integer
) strict;
create index jobs_live on jobs (created_at) where ended_at is null;
