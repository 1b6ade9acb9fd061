-- What a person may choose; the history of escalations is read by rig.
alter table escalations add column choices text not null default '[]';
create index escalations_by_rig on escalations (rig_id, created_at);
