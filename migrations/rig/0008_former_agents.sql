-- Agents whose names are free again; history still calls them by name.
create table former_agents (
  agent_id text primary key,
  role text not null,
  name text not null,
  identity text not null,
  created_at integer not null
) strict;
