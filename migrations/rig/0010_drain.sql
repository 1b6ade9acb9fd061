-- Assignments with a smaller epoch began before the newest drain or change of the runtime: losing one is nobody's fault.
alter table rig add column drain_epoch integer not null default 0;
