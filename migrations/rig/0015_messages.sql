-- Mail that nobody will read any more, and nudges that may still be shown.
alter table mail add column expired_at integer;
drop index mail_undelivered;
create index mail_undelivered on mail (to_agent) where delivered_at is null and expired_at is null;
create index mail_by_receiver on mail (delivered_to);
drop index nudges_pending;
create index nudges_live on nudges (agent_id) where state in ('pending', 'sent');
