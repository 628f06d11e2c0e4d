#!/bin/sh
# Makes every password of the compose files anew, into secrets/ beside this file (or into the folder named). Refuses to overwrite: the
# database keeps the passwords that it was made with.
set -eu
dir=${1:-$(dirname "$0")/secrets}
if [ -e "$dir" ]; then
  echo "$dir is there already: remove it, and the volumes made with it, to begin anew" >&2
  exit 1
fi
# The folder keeps other users of this machine out; the files in it must be readable for the users inside the containers.
mkdir -p "$dir"
chmod 700 "$dir"
umask 022

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
write() { printf '%s' "$2" >"$dir/$1"; }

superuser=$(random)
nudge=$(random)
replication=$(random)
redis=$(random)
ops=$(random)

write postgres_password "$superuser"
write nudge_password "$nudge"
write replication_password "$replication"
write ops_token "$ops"
write grafana_password "$(random)"
printf 'requirepass %s\nmasterauth %s\n' "$redis" "$redis" >"$dir/redis.conf"

# env FILE REDIS_URL: what the processes of Nudge are configured by and nobody else may know.
env_file() {
  printf 'DATABASE_URL=postgres://nudge:%s@postgres:5432/nudge\n' "$nudge" >"$dir/$1"
  printf 'DATABASE_REPLICA_URLS=postgres://nudge:%s@postgres-replica:5432/nudge\n' "$nudge" >>"$dir/$1"
  printf 'REDIS_URL=%s\n' "$2" >>"$dir/$1"
  printf 'OPS_TOKEN=%s\n' "$ops" >>"$dir/$1"
}
env_file nudge.env "redis://:$redis@redis:6379"
nodes=redis-1:6379,redis-2:6379,redis-3:6379,redis-4:6379,redis-5:6379,redis-6:6379
env_file nudge-cluster.env "redis+cluster://:$redis@$nodes"
echo "secrets are in $dir"
