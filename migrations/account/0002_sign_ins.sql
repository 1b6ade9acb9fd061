-- Sign-in tokens that were used: each opens one session (api.md 2.1). A row is needed only until its token ends.
create table sign_ins (
  jti text primary key,
  expires_at integer not null
) strict;
create index sign_ins_by_end on sign_ins (expires_at);

-- Sessions that were signed out before their end. A row is needed only until its cookie ends.
create table signed_out (
  sid text primary key,
  expires_at integer not null
) strict;
create index signed_out_by_end on signed_out (expires_at);
