-- The rest of a rig's report: which assignments are live, and how many jobs.
alter table rigs add column live_assignments text not null default '[]';
alter table rigs add column jobs integer not null default 0;
