-- When an idle session was last asked for its result.
alter table assignments add column idle_nudged_at integer;
