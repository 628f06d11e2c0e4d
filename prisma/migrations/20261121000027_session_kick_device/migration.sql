-- device_id: only sessions of that device are meant; null for those of all.
alter table session_kick add column device_id text;
