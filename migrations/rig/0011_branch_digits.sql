-- Digits of a bead's id in the name of its branch: more where eight are not unique in the rig.
alter table beads add column branch_digits integer not null default 8;
