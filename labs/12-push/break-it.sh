#!/bin/sh
# Push a layer of 20 MB to one repository of a registry, and then to another one. How much is sent the second time?
#
#   break-it.sh                       a naive client, which sends what it has
#   break-it.sh ./skiff               the engine, or with your plank: ./skiff --mine=push
#
# Exit status: 0 when the layer was sent twice, 1 when it was not, 2 when nothing can be said: your plank is not written, say.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
place=$(mktemp -d)
give_up() { cat "$place/log" >&2; echo "$1"; exit 2; }
node "$here/counter.mjs" "$place" >"$place/log" 2>&1 &
counter=$!
trap 'kill $counter 2>/dev/null; wait $counter 2>/dev/null; rm -rf "$place"' EXIT
until [ -s "$place/host" ]; do
  kill -0 $counter 2>/dev/null || give_up "The registry did not start."
  sleep 0.1
done
host=$(cat "$place/host")

mkdir "$place/context"
head -c 20000000 /dev/urandom >"$place/context/layer"
printf 'FROM scratch\nCOPY layer /layer\n' >"$place/context/Dockerfile"
if [ $# -gt 0 ]; then
  "$@" build -t "$host/one" "$place/context" >"$place/log" 2>&1 || give_up "The build failed, so nothing was pushed."
  case "$*" in *--mine*)
    grep -q 'Your planks: [^.]*push' "$place/log" || give_up "push is not written yet, or its check is not green: ./workshop check push"
    grep 'Your planks' "$place/log" >&2 ;;
  esac
  "$@" tag "$host/one" "$host/two"
fi
push() {
  if [ $# -eq 0 ]; then node "$here/naive.mjs" "$host" "$to" "$place/context/layer"; else "$@" push "$host/$to"; fi >"$place/log" 2>&1
  [ $? -eq 0 ] || { grep -q 'not written yet' "$place/log" && give_up "not written yet: nothing was pushed."; give_up "The push failed."; }
}
to=one; push "$@"; first=$(cat "$place/sent")
to=two; push "$@"; second=$(($(cat "$place/sent") - first))
[ $# -eq 0 ] || "$@" rmi -f "$host/one" "$host/two" >/dev/null 2>&1
echo "sent to one: $first bytes, to two: $second bytes"
[ "$second" -ge 20000000 ] || { echo "HELD: the registry took the layer from its own repository."; exit 1; }
echo "SENT AGAIN: every byte of it, to a registry that had it."
