-- The schema of `account` after all migrations. Written by a test; read by people.

CREATE TABLE account (
  account_id text primary key,
  kind text not null check (kind in ('user', 'org')),
  name text not null,
  session_gen integer not null default 0,
  created_at integer not null
) strict;

CREATE TABLE members (
  user_id text primary key,
  role text not null check (role in ('owner', 'member', 'billing')),
  added_at integer not null
) strict;

CREATE TABLE requests (
  key text primary key,
  body_hash text not null,
  status integer not null,
  reply text not null,
  created_at integer not null
) strict;

CREATE INDEX requests_by_age on requests (created_at);

CREATE TABLE sign_ins (
  jti text primary key,
  expires_at integer not null
) strict;

CREATE INDEX sign_ins_by_end on sign_ins (expires_at);

CREATE TABLE signed_out (
  sid text primary key,
  expires_at integer not null
) strict;

CREATE INDEX signed_out_by_end on signed_out (expires_at);

CREATE TABLE towns (
  town_id text primary key,
  name text not null check (length(name) between 1 and 64),
  created_by text not null,
  state text not null check (state in ('active', 'deleting')),
  active integer not null default 0 check (active in (0, 1)),
  seen_at integer not null,
  created_at integer not null,
  updated_at integer not null
) strict;

CREATE INDEX towns_by_age on towns (created_at);
