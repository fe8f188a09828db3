#!/usr/bin/env bash
# Starts PostgreSQL, two nodes of otpost and HAProxy on this machine, to be looked at; ctrl-c ends them
# all. With arguments, runs these as a command, and ends with it. Logs are in the folder ./two-nodes.
#
# Needs PostgreSQL's server, HAProxy, curl, and otpost: target/release/otpost, or what $OTPOST names.
# The ports are 8080 of the proxy, 8081 and 8082 of the nodes, or $PROXY_PORT, $A_PORT and $B_PORT.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
otpost=$(realpath "${OTPOST:-target/release/otpost}")
export PROXY_PORT=${PROXY_PORT:-8080} A_PORT=${A_PORT:-8081} B_PORT=${B_PORT:-8082}
PATH=$PATH:/usr/sbin:$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)

mkdir -p two-nodes && cd two-nodes && rm -f otpost.toml
database=$(mktemp -d)
pids=()
stop() {
  trap '' INT TERM
  kill "${pids[@]}" 2>/dev/null || true
  wait
  as_owner pg_ctl --pgdata data --mode immediate stop >/dev/null || true
  rm -rf "$database"
}
trap stop EXIT
trap exit INT TERM

# PostgreSQL: on a socket alone, and its data go with it. It refuses to be root's.
step_down=()
if [ "$(id -u)" -eq 0 ]; then
  step_down=(setpriv --reuid postgres --regid postgres --clear-groups)
  chown postgres "$database"
fi
as_owner() { (cd "$database" && "${step_down[@]}" "$@"); }
as_owner initdb --pgdata data --username otpost --auth trust >postgres.log
as_owner pg_ctl --pgdata data --log log --options "-k $database -h ''" start >>postgres.log
as_owner createdb --host "$database" --username otpost otpost

# One configuration and one set of secrets for both nodes. With the keys of tests nothing is mailed,
# and the code is always 424242.
"$otpost" init >/dev/null
export OTPOST_DATABASE__URL="postgres://otpost@${database//\//%2F}/otpost"
export OTPOST_SERVER__DRAIN_SECS=2 OTPOST_SERVER__TRUSTED_PROXIES=127.0.0.1 OTPOST_SERVER__TEST_KEYS=true
"$otpost" project create shop >/dev/null
key=$("$otpost" key create --project shop --test)

start() { "$@" & pids+=($!); }
ready() {
  for _ in {1..200}; do
    if curl -sf "http://127.0.0.1:$1/readyz" >/dev/null; then return; fi
    sleep 0.1
  done
  echo "nothing is ready on port $1: see the logs in $PWD" >&2
  return 1
}
OTPOST_SERVER__LISTEN=127.0.0.1:$A_PORT start "$otpost" serve >a.log 2>&1
OTPOST_SERVER__LISTEN=127.0.0.1:$B_PORT start "$otpost" serve >b.log 2>&1
ready "$A_PORT" && ready "$B_PORT"
start haproxy -f "$here/haproxy.cfg" >haproxy.log 2>&1
ready "$PROXY_PORT"

export OTPOST_URL=http://127.0.0.1:$PROXY_PORT OTPOST_KEY=$key NODE_A=${pids[0]} NODE_B=${pids[1]}
for name in OTPOST_URL OTPOST_KEY NODE_A NODE_B; do
  echo "$name=${!name}"
done | tee nodes.env
if [ $# -gt 0 ]; then
  start "$@"
else
  echo "Running until ctrl-c. In another terminal: . ./two-nodes/nodes.env"
fi
wait "${pids[-1]}"
