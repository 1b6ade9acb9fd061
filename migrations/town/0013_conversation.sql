-- What the mayor said and did, as its conversation shows it. What people said stands in mayor_inbox.
create table mayor_messages (
  message_id text primary key,
  parts text not null,
  state text not null check (state in ('streaming', 'complete', 'failed')),
  at integer not null
) strict;
create index mayor_messages_by_age on mayor_messages (at);
