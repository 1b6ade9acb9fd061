-- What the rules of the runtime's life look at besides: since when its state holds, the newest ping, starts in a row that
-- failed with the end of their back-off, the newest restart, and when a runtime that was told to end is ended.
alter table container add column since integer not null default 0;
alter table container add column pinged_at integer;
alter table container add column start_failures integer not null default 0;
alter table container add column not_before integer;
alter table container add column restarted_at integer;
alter table container add column end_by integer;
