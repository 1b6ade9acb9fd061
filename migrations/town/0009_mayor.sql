-- The runtime that accepted the mayor's session, and why the last one ended badly.
alter table mayor add column instance_id text;
alter table mayor add column error text;
