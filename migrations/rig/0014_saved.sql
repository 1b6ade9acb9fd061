-- Where unpublished work of the bead's last session was saved; its next session begins with it.
alter table beads add column saved text;
