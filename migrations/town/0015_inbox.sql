-- Escalations: who raised them, when they changed, and how loud the mayor heard them.
alter table escalations add column raised_by_name text;
alter table escalations add column told integer check (told between 0 and 3);
alter table escalations add column updated_at integer not null default 0;
update escalations set updated_at = coalesce(closed_at, created_at);

-- Triage: the batch of a request, the pause after a failed one, and who decided.
alter table triage_requests add column batch_is_live integer not null default 0 check (batch_is_live in (0, 1));
alter table triage_requests add column not_before integer;
alter table triage_requests add column resolved_by text;
alter table triage_requests add column resolved_at integer;
create index triage_requests_in_view on triage_requests (rig_id) where state <> 'resolved' or batch_is_live = 1;
create index triage_requests_by_end on triage_requests (resolved_at);

-- What the mayor is told without having asked.
alter table mayor add column notices text not null default '{"sent":[],"pending":[]}';

-- Mail: who wrote it, in words.
alter table mail add column from_name text not null default '';
alter table mail add column from_rig text;
