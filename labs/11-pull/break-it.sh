#!/bin/sh
# Push an image to a registry on loopback, change it there behind the registry's back, and pull it.
#
#   break-it.sh                       a naive client, which believes what it is sent
#   break-it.sh ./skiff               the engine, or with your plank: ./skiff --mine=pull
#
# Exit status: 0 when the changed image is taken, 1 when it is refused, 2 when nothing can be said: your plank is not written yet, say.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
skiff=$here/../../skiff
place=$(mktemp -d)
trap 'kill "$registry" 2>/dev/null; wait "$registry"; rm -rf "$place"' EXIT
give_up() { cat "$place/log" >&2; echo "$1"; exit 2; }

"$skiff" registry serve --listen 127.0.0.1:0 --data "$place/data" >"$place/served" 2>"$place/log" &
registry=$!
until grep -q http "$place/served"; do kill -0 "$registry" || give_up "The registry did not start."; sleep 0.1; done
image=$(sed 's|.*http://||' "$place/served")/box
mkdir "$place/context" && printf 'FROM hostbox\nLABEL of=%s\n' "$place" >"$place/context/Dockerfile"
{ "$skiff" build -t "$image" "$place/context" && "$skiff" push -q "$image" && "$skiff" rmi "$image"; } >"$place/log" 2>&1 ||
  give_up "No image could be pushed, so this says nothing about pulls."
pull() {
  if [ $# -eq 0 ]; then node "$here/naive.mjs" "$image"; else "$@" pull "$image"; fi >"$place/log" 2>&1
}
pull "$@"
status=$?
grep -q 'not written yet' "$place/log" && give_up "Your plank is not written yet: see ./workshop check pull."
[ $# -eq 0 ] || ! grep -q 'Your planks' "$place/log" || grep 'Your planks: [^.]*pull' "$place/log" ||
  give_up "pull is not written yet, or its check is not green: ./workshop check pull"
[ "$status" -eq 0 ] || give_up "The image that was pushed could not be pulled either, so this says nothing."
[ $# -eq 0 ] || "$@" rmi "$image" >"$place/log" 2>&1

config=$(grep -l '"rootfs"' "$place"/data/blobs/sha256/*)
sed -i 's|PATH=/|PATH=~|' "$config"
pull "$@" && { grep pulled "$place/log"; echo "TAKEN: this is not the image that was pushed."; exit 0; }
grep -q 'digest' "$place/log" || give_up "The pull failed, but not because of a digest."
tail -n 1 "$place/log"
echo "HELD: what was changed is refused."
exit 1
