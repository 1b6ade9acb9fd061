-- A ticket stands for whoever asked for it, as long as their own credential holds.
alter table tickets add column guard text not null default '{}';
create index tickets_by_age on tickets (expires_at);
