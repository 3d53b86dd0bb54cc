#!/usr/bin/env bash
# ferretdb.sh FOLDER [USER]
#
# Makes, in FOLDER, what a server needs that speaks the MongoDB protocol, where no mongod is to be had: FerretDB 2, built
# with Go from the versions in scripts/ferretdb, and PostgreSQL 18 with the DocumentDB extension from Debian.
#
#   FOLDER/ferretdb         the server that answers clients
#   FOLDER/postgresql/bin   postgres
#   FOLDER/template         a data folder with the extension, to be copied; USER owns it
#
# PostgreSQL does not run as root: root gives the name of another USER, who must be able to reach FOLDER. Does nothing
# when all is there already.
set -euo pipefail

folder=$1 user=${2:-}
scripts=$(cd "$(dirname "$0")" && pwd)
umask 022
mkdir -p "$folder"
exec 9> "$folder/lock"
flock 9
[ -e "$folder/complete" ] && exit 0

as_user() {
  if [ -n "$user" ]; then
    setpriv --reuid="$user" --regid="$(id -gn "$user")" --clear-groups env -i PATH=/usr/bin:/bin LC_ALL=C TZ=UTC "$@"
  else
    env -i PATH=/usr/bin:/bin LC_ALL=C TZ=UTC "$@"
  fi
}

build_ferretdb() {
  command -v go > /dev/null || { echo 'FerretDB is built with Go, which is missing' >&2; exit 1; }
  (cd "$scripts/ferretdb" && GOFLAGS=-mod=readonly GOTOOLCHAIN=local CGO_ENABLED=0 \
    go build -buildvcs=false -trimpath -ldflags='-s -w' -o "$folder/ferretdb.new" github.com/FerretDB/FerretDB/v2/cmd/ferretdb)
  mv "$folder/ferretdb.new" "$folder/ferretdb"
}

unpack_postgresql() {
  # PostGIS is loaded by DocumentDB, the formats of maps that it could read are not.
  WITHOUT='locales|postgresql-common|postgresql-client-common|ssl-cert|proj-data|libgdal[0-9]+[a-z0-9]*|libsfcgal[0-9]+' \
    "$scripts/debian-packages.sh" forky "$folder/postgresql" postgresql-18 postgresql-18-cron postgresql-18-documentdb
  local root=$folder/postgresql/root/usr
  ln -sf postgis-3.control "$root/share/postgresql/18/extension/postgis.control"
  # initdb looks for postgres beside itself, and starts it without the loader of its suite.
  local programs=$root/lib/postgresql/18/bin
  [ -e "$programs/postgres.bin" ] || mv "$programs/postgres" "$programs/postgres.bin"
  printf '#!/bin/sh\nexec "${0%%/*}/../../../../../../run" usr/lib/postgresql/18/bin/postgres.bin "$@"\n' > "$programs/postgres"
  printf '#!/bin/sh\nexec "${0%%/*}/../run" usr/lib/postgresql/18/bin/postgres.bin "$@"\n' > "$folder/postgresql/bin/postgres"
  chmod 755 "$programs/postgres" "$folder/postgresql/bin/postgres"
}

make_template() {
  local data=$folder/template sockets=$folder/s run=$folder/postgresql/run programs=usr/lib/postgresql/18/bin
  rm -rf "$data" "$sockets"
  mkdir -m 700 "$data" "$sockets"
  [ -z "$user" ] || chown "$user:$(id -gn "$user")" "$data" "$sockets"
  as_user "$run" "$programs/initdb" -D "$data" -U postgres -A trust --no-locale -E UTF8 --locale-provider=builtin \
    --builtin-locale=C.UTF-8 --wal-segsize=1 --no-sync > "$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; exit 1; }
  cat >> "$data/postgresql.conf" << 'CONF'
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb'
cron.database_name = 'postgres'
cron.use_background_workers = on
cron.log_statement = off
cron.log_run = off
documentdb.enableBackgroundWorker = off
max_worker_processes = 20
max_connections = 200
listen_addresses = ''
timezone = 'UTC'
log_timezone = 'UTC'
shared_buffers = 64MB
wal_level = minimal
max_wal_senders = 0
min_wal_size = 8MB
deadlock_timeout = 10ms
include_if_exists = 'server.conf'
CONF
  as_user "$folder/postgresql/bin/postgres" -D "$data" -c unix_socket_directories="$sockets" > "$folder/postgres.log" 2>&1 9>&- &
  for _ in $(seq 600); do
    grep -q '^ready' "$data/postmaster.pid" 2> /dev/null && break
    sleep 0.05
  done
  as_user "$run" "$programs/psql" -qAtX -h "$sockets" -U postgres -v ON_ERROR_STOP=1 \
    -c 'SET client_min_messages = warning; CREATE EXTENSION documentdb CASCADE' || { cat "$folder/postgres.log" >&2; exit 1; }
  kill -INT "$(head -1 "$data/postmaster.pid")"
  wait
  rm -rf "$sockets" "$data/postmaster.opts"
}

build_ferretdb &
unpack_postgresql 9>&-
make_template
wait
[ -x "$folder/ferretdb" ] || exit 1
touch "$folder/complete"
