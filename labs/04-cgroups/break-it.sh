#!/bin/sh
# Start a hundred processes, and then take a hundred megabytes. Who says no?
#
#   break-it.sh                      in a "container" of namespaces alone: unshare(1)
#   break-it.sh ./skiff --mine       in an engine's, with limits: ./skiff --mine run --pids-limit 30 -m 32m …
#
# Exit status: 0 when it got all it wanted, 1 when it was held.
processes='n=0; while [ $n -lt 100 ]; do sleep 9 & n=$((n + 1)); done; echo $n'
memory='x=$(head -c 100000000 /dev/zero | tr "\0" x); echo ${#x}'

if [ $# -eq 0 ]; then
  run() { unshare --user --map-root-user --pid --fork --kill-child sh -c "$1" 2>/dev/null; }
else
  skiff=$*
  # shellcheck disable=SC2086
  run() { $skiff run --rm --network none --pids-limit 30 -m 32m --memory-swap 32m hostbox sh -c "$1" 2>/dev/null; }
fi

started=$(run "$processes" | tail -n 1)
echo "processes that it started: ${started:-fewer than it wanted}"
taken=$(run "$memory" | tail -n 1)
echo "bytes that it took: ${taken:-it was killed}"
if [ "${started:-0}" = 100 ] && [ "${taken:-0}" = 100000000 ]; then
  echo "TOOK ALL: nobody counted."
  exit 0
fi
echo "HELD."
exit 1
