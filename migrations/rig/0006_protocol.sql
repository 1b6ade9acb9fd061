-- Replies kept by Idempotency-Key for 24 hours.
create table requests (
  key text primary key,
  body_hash text not null,
  status integer not null,
  reply text not null,
  created_at integer not null
) strict;
create index requests_by_age on requests (created_at);

-- Numbered messages to other objects, kept until they are acknowledged (domain.md 11).
create table outbox (
  receiver text not null,
  seq integer not null,
  kind text not null,
  subject text,
  body text not null,
  created_at integer not null,
  sent_at integer,
  primary key (receiver, seq)
) strict, without rowid;

-- The last number applied of each sender.
create table inbox (
  sender text primary key,
  stream text not null,
  last_seq integer not null
) strict, without rowid;

-- The next number of each outbox; rows of the outbox go when they are acknowledged, numbers never come back.
create table outbox_next (
  receiver text primary key,
  next_seq integer not null
) strict, without rowid;
