-- The values these columns may have, as domains instead of checks of their tables. A check is read from its text and judged anew by every
-- statement that touches a row, whichever columns it writes: an eighth of the CPU of a single append, which writes none of these but the kind of
-- its outbox row. A domain is judged when its column is written. docs/adr/0014 has the figures. Rewrites conversation, member and outbox.
create domain conversation_type as text constraint conversation_type_check check (value in ('direct', 'group', 'channel'));
create domain conversation_history as text constraint conversation_history_check check (value in ('full', 'since_join'));
create domain member_role as text constraint member_role_check check (value in ('owner', 'moderator', 'member'));
create domain outbox_kind as text constraint outbox_kind_check check (value in ('append', 'read', 'hide', 'block', 'copies'));
create domain seconds_or_none as integer constraint seconds_or_none_check check (value >= 0);

alter table conversation
  drop constraint conversation_type_check,
  drop constraint conversation_history_check,
  drop constraint conversation_slow_mode_s_check,
  drop constraint conversation_retention_s_check,
  alter column type type conversation_type,
  alter column history type conversation_history,
  alter column slow_mode_s type seconds_or_none,
  alter column retention_s type seconds_or_none;
alter table member
  drop constraint member_role_check,
  alter column role type member_role;
alter table outbox
  drop constraint outbox_kind_check,
  alter column kind type outbox_kind;

-- Sessions that have called these functions before hold expressions made for the columns' old types; any change of a function has it
-- compiled anew. Nothing else about them changes.
alter function append_one volatile;
alter function append_entries volatile;
alter function append_entries_v2 volatile;
alter function append_message_act volatile;
alter function append_conversation_update volatile;
alter function append_member_change volatile;
alter function append_member_change_v2 volatile;
alter function retain_conversation volatile;
alter function create_conversation volatile;
