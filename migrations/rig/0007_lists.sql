-- Lists of the API and look-ups of what is over, which the live indexes do not serve.
create index beads_by_age on beads (created_at, bead_id);
create index assignments_by_agent on assignments (agent_id, epoch);
create index reviews_by_source on reviews (source_id, queued_at);
create index gate_runs_by_review on gate_runs (review_id, created_at);
create index mail_by_agent on mail (to_agent, created_at);
create index events_by_agent on events (agent_id, seq);
