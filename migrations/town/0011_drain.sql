-- The runtime's present life and its orderly end; one row. Without a drain there is neither nonce nor beginning.
create table drain_next (
  only_row integer primary key check (only_row = 1),
  state text not null check (state in ('none', 'draining')),
  nonce text,
  instance_id text,
  started_at integer,
  check (state = 'draining' or (nonce is null and started_at is null))
) strict;
insert into drain_next (only_row, state, nonce, instance_id, started_at)
  select only_row, state,
         case when state = 'draining' then nonce end,
         instance_id,
         case when state = 'draining' then started_at end
  from drain;
drop table drain;
alter table drain_next rename to drain;
