#!/bin/sh
# Start a hundred processes, and then take a hundred megabytes. Who says no?
#
#   break-it.sh                      in a "container" of namespaces alone: unshare(1)
#   break-it.sh ./skiff --mine       in an engine's, with limits: ./skiff --mine run --pids-limit 30 -m 32m …
#
# Exit status: 0 when it got all it wanted, 1 when it was held, 2 when nothing can be said: your plank is not written yet, say.
processes='n=0; while [ $n -lt 100 ]; do sleep 9 & n=$((n + 1)); done; echo $n'
memory='x=$(head -c 100000000 /dev/zero | tr "\0" x); echo ${#x}'

if [ $# -eq 0 ]; then
  run() { unshare --user --map-root-user --pid --fork --kill-child sh -c "$1" 2>/dev/null; }
else
  skiff=$*
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  give_up() { cat "$log" >&2; echo "$1"; exit 2; }
  # What cannot run at all is not held by limits, and with --mine it has to be your plank that holds.
  # shellcheck disable=SC2086
  $skiff run --rm --network none hostbox true 2>"$log" || ran=no
  grep -q 'not written yet' "$log" && give_up "Your plank is not written yet: see ./workshop check cgroups."
  [ -z "$ran" ] || give_up "The container did not run, so this says nothing about its limits."
  if grep 'Your planks' "$log" >&2 && ! grep -q 'Your planks: [^.]*cgroups' "$log"; then
    give_up "cgroups is not written yet, or its check is not green: ./workshop check cgroups"
  fi
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
