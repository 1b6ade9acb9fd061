-- The next number of each outbox; rows of the outbox go when they are acknowledged, numbers never come back.
create table if not exists outbox_next (
  receiver text primary key,
  next_seq integer not null
) strict, without rowid;
