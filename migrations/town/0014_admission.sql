-- Why the town is paused, and whether running work was asked to end; absent while it is not paused.
alter table town add column pause text;

-- Since when somebody wants the mayor's session without a message; what the present session has spent so far.
alter table mayor add column wanted_at integer;
alter table mayor add column tokens_in integer not null default 0;
alter table mayor add column tokens_out integer not null default 0;
alter table mayor add column cost_micros integer not null default 0;

-- What was said about the budget of the day (UTC) that it names.
create table day_budget (
  only_row integer primary key check (only_row = 1),
  day text not null,
  warned integer not null check (warned in (0, 1)),
  reached integer not null check (reached in (0, 1))
) strict;

-- The runtime's sleep: whether it was needed since it was last put to sleep, since when nothing needs it, and when it was
-- last told to stop.
create table runtime (
  only_row integer primary key check (only_row = 1),
  awake integer not null check (awake in (0, 1)),
  quiet_since integer,
  stopped_at integer,
  pruned_at integer
) strict;
