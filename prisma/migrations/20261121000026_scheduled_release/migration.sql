-- released_at = taken_at: whoever took the message last has let go of it again, because slow mode makes it wait. Then nobody is sending it,
-- so it can be cancelled. Every taking moves taken_at on, that of a program which does not know this column too.
alter table scheduled add column released_at timestamptz(3);
