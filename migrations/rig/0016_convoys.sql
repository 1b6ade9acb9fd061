-- A failed task that its convoy goes on without.
alter table beads add column skipped integer not null default 0 check (skipped in (0, 1));
