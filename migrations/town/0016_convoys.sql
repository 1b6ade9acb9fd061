-- What the town has to know of a task besides its status: its life (older reports are late), the branch that its work
-- reached, why it failed, and what people see of it. `told`: what the waiting rig was last told of a gate.
alter table convoy_rigs add column landed_at integer;
alter table convoy_tasks add column attempt integer not null default 1;
alter table convoy_tasks add column merged_into text;
alter table convoy_tasks add column failure text;
alter table convoy_tasks add column shown text not null default '{}';
alter table convoy_edges add column told text not null default 'pending'
  check (told in ('pending', 'satisfied', 'failed', 'waived'));
create index convoys_by_age on convoys (created_at, convoy_id);
