#!/bin/sh
# Run once, by the image's entrypoint, when the primary is made: the role and database of Nudge, and what a replica connects with.
set -eu
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set nudge="$(cat /run/secrets/nudge_password)" --set replication="$(cat /run/secrets/replication_password)" <<'SQL'
create role nudge login password :'nudge';
create role replica login replication password :'replication';
create database nudge owner nudge;
revoke all on database nudge from public;
select pg_create_physical_replication_slot('replica', true);
SQL
echo 'host replication replica samenet scram-sha-256' >>"$PGDATA/pg_hba.conf"
