#!/bin/sh
# Unpack an archive that a stranger made: it has a link to a place outside, and then a file behind that link.
#
#   break-it.sh [COMMAND...]   COMMAND ARCHIVE DIRECTORY unpacks it. Without one: the naive program, which joins names.
#   break-it.sh npx tsx labs/08-layer/unpack.ts          the same with your plank
#
# Exit status: 0 when the archive reached out, 1 when it was held, 2 when nothing was tried.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
[ $# -gt 0 ] || set -- node "$here/naive.mjs"

mkdir "$place/layer" "$place/home"
echo "my key" >"$place/home/authorized_keys"

# Two archives in one: in the first "innocent" is a link, in the second it is a directory with a file.
mkdir "$place/1" "$place/2" "$place/2/innocent"
ln -s ../home "$place/1/innocent"
echo "the stranger's key" >"$place/2/innocent/authorized_keys"
tar -C "$place/1" -cf "$place/evil.tar" innocent
tar -C "$place/2" -rf "$place/evil.tar" innocent/authorized_keys

"$@" "$place/evil.tar" "$place/layer"
status=$?
[ $status -ne 2 ] || { echo "not written yet: nothing was tried." >&2; exit 2; }
# An unpacker that makes nothing holds everything: it has to make the link, at least.
[ -L "$place/layer/innocent" ] || { echo "The archive was not unpacked (status $status)." >&2; exit 2; }
echo "what is in home/authorized_keys now: $(cat "$place/home/authorized_keys")"
if grep -q stranger "$place/home/authorized_keys"; then
  echo "REACHED OUT: unpacking in one directory wrote in another."
  exit 0
fi
echo "HELD."
exit 1
