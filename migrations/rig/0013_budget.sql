-- People were told once that the bead's budget nears its end.
alter table beads add column budget_warned integer not null default 0 check (budget_warned in (0, 1));

-- What the rig has spent, as totals that only grow: scope is `day:2026-11-20`, or `convoy:<id>` over all its time.
create table usage (
  scope text primary key,
  tokens_in integer not null,
  tokens_out integer not null,
  cost_micros integer not null
) strict, without rowid;
