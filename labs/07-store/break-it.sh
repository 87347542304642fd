#!/bin/sh
# A program stores a file and is killed in the middle. What does the next one find under the name?
#
#   break-it.sh                               cp, under the name itself
#   break-it.sh npx tsx labs/07-store/put.ts  with your plank: put.ts STORE reads standard input
#
# Exit status: 0 when half a file has the name of a whole one, 1 when it has not, 2 when nothing was tried.
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap '' PIPE
mkfifo "$place/slow"

if [ $# -eq 0 ]; then
  mkdir -p "$place/store/blobs/sha256"
  set -- cp /dev/stdin "$place/store/blobs/sha256/5f7f5d…"
else
  set -- "$@" "$place/store"
fi

# In a process group of its own, so that the kill meets all of it.
setsid "$@" <"$place/slow" 2>"$place/said" &
writer=$!
exec 9>"$place/slow"
# The pipe holds 65,536 bytes: when all were accepted, the writer has read most of them.
head -c 200000 /dev/zero >&9 2>/dev/null && kill -9 -$writer
exec 9>&-
wait $writer 2>/dev/null
status=$?
grep 'Your planks' "$place/said"
grep -q NotImplemented "$place/said" && { echo "not written yet: nothing was tried." >&2; exit 2; }
[ $status -eq 137 ] || { cat "$place/said" >&2; echo "It ended by itself with status $status." >&2; exit 2; }

found=$(find "$place/store/blobs" -type f -exec wc -c {} + 2>/dev/null | awk 'NR == 1 { print $1 }')
echo "bytes under the name of a blob: ${found:-none}"
[ -z "$found" ] && { echo "HELD."; exit 1; }
echo "HALF A FILE: whoever comes next believes it."
exit 0
