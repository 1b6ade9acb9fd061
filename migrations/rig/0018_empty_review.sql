-- The head at which the forge found nothing to open a pull request for: it is reviewed without one.
alter table reviews add column empty_commit text;
