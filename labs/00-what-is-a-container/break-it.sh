#!/bin/sh
# Fool a detector of containers: one process wears the costume of a container, another is one and wears nothing.
#
#   break-it.sh [COMMAND...]   COMMAND PID says by exit status whether PID is in a container (0) or not (1).
#                              Without one: the folk rule "its environment says container=…".
#   break-it.sh npx tsx labs/00-what-is-a-container/tell.ts
#
# Exit status: 0 if the detector was fooled, 1 if not, 2 if there is no answer: the plank is not written yet, say.
folk_rule() { tr '\0' '\n' <"/proc/$1/environ" | grep -q '^container='; }
[ $# -gt 0 ] || set -- folk_rule

[ "$(id -u)" = 0 ] || user=--user
# shellcheck disable=SC2086
unshare ${user-} --uts true || { echo "No process may have namespaces of its own here." >&2; exit 2; }

env container=docker HOSTNAME=3c1f0a9be2d4 sleep 300 &
costume=$!
# shellcheck disable=SC2086
unshare ${user-} --uts --ipc sleep 300 &
real=$!
trap 'kill "$costume" "$real" 2>/dev/null' EXIT
for pid in "$costume" "$real"; do
  until [ "$(cat "/proc/$pid/comm")" = sleep ]; do :; done
done

ask() {
  asked=$1
  shift
  "$@" "$asked"
  answer=$?
  [ "$answer" -le 1 ] || { echo "NO ANSWER: the detector failed with exit status $answer." >&2; exit 2; }
}
fooled=1
ask "$costume" "$@"
[ "$answer" = 1 ] || { fooled=0; echo "FOOLED: $costume only says it is a container; it shares everything with us."; }
ask "$real" "$@"
[ "$answer" = 0 ] || { fooled=0; echo "FOOLED: $real has a world of its own, and was taken for one of us."; }
[ "$fooled" = 0 ] || echo "NOT FOOLED."
exit "$fooled"
