-- The account itself: one user or one organisation. `session_gen` grows when all its sessions are revoked.
create table account (
  account_id text primary key,
  kind text not null check (kind in ('user', 'org')),
  name text not null,
  session_gen integer not null default 0,
  created_at integer not null
) strict;

-- The towns of the account. `active` is what the town says of itself: it has live work.
create table towns (
  town_id text primary key,
  name text not null check (length(name) between 1 and 64),
  created_by text not null,
  state text not null check (state in ('active', 'deleting')),
  active integer not null default 0 check (active in (0, 1)),
  seen_at integer not null,
  created_at integer not null,
  updated_at integer not null
) strict;
create index towns_by_age on towns (created_at);

-- Membership, for organisations only.
create table members (
  user_id text primary key,
  role text not null check (role in ('owner', 'member', 'billing')),
  added_at integer not null
) strict;

-- Replies kept by Idempotency-Key for 24 hours.
create table requests (
  key text primary key,
  body_hash text not null,
  status integer not null,
  reply text not null,
  created_at integer not null
) strict;
create index requests_by_age on requests (created_at);
