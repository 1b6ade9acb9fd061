-- The town itself: who owns it, its settings and the numbers that only grow.
create table town (
  town_id text primary key,
  name text not null check (length(name) between 1 and 64),
  account_kind text not null check (account_kind in ('user', 'org')),
  account_id text not null,
  created_by text not null,
  created_at integer not null,
  updated_at integer not null,
  state text not null check (state in ('active', 'paused', 'deleting')),
  config text not null,
  config_version integer not null,
  secrets_version integer not null,
  credential_gen integer not null,
  next_epoch integer not null,
  version integer not null default 1
) strict;

-- Secret settings. `value` is sealed; replies show only `last4`.
create table secrets (
  name text primary key,
  value text not null,
  last4 text not null,
  updated_at integer not null,
  updated_by text not null
) strict;

-- The repositories of the town, each with the last report of its rig object.
create table rigs (
  rig_id text primary key,
  tag text not null unique,
  name text not null check (length(name) between 1 and 64),
  git_url text not null,
  default_branch text not null,
  target_branch text,
  purpose text,
  integration_id text,
  config text not null,
  config_version integer not null default 1,
  state text not null check (state in ('active', 'paused', 'deleting')),
  access text not null default '{"state":"unknown"}',
  needs_container integer not null default 0 check (needs_container in (0, 1)),
  live integer not null default 0,
  queued integer not null default 0,
  next_deadline integer,
  reported_at integer,
  created_at integer not null,
  updated_at integer not null,
  version integer not null default 1
) strict;
create unique index rigs_by_name on rigs (lower(name));
