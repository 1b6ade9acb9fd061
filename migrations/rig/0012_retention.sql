-- When old rows were last deleted, and the orders in which they are found.
alter table rig add column pruned_at integer;
create index jobs_by_end on jobs (ended_at) where ended_at is not null;
create index jobs_by_review on jobs (review_id);
create index mail_by_bead on mail (bead_id) where bead_id is not null;
create index nudges_by_age on nudges (created_at);
