#!/bin/sh
# Makes the replica from the primary when there is none yet, then runs it. The slot on the primary keeps the WAL that it needs.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  # A copy that was cut short is of no use.
  rm -rf "$PGDATA"
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  PGPASSWORD=$(cat /run/secrets/replication_password)
  export PGPASSWORD
  pg_basebackup --host postgres --username replica --pgdata "$PGDATA" --slot replica --wal-method stream --write-recovery-conf --checkpoint fast
  unset PGPASSWORD
fi
exec postgres "$@"
