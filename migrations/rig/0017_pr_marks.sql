-- Marks of calls of the forge that are out: to open or merge a pull request, to post findings on it.
alter table reviews add column forge_due integer;
alter table rounds add column post_due integer;
-- A person has seen what the review waits for.
alter table reviews add column dismissed_at integer;
-- The newest poll was not looked at yet, and what it says in detail.
alter table pr_watches add column unanswered integer not null default 0 check (unanswered in (0, 1));
alter table pr_watches add column feedback text not null default '[]';
