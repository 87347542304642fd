#!/bin/sh
# Build, change a file, build again: is the change in the image?
#
#   break-it.sh             a naive builder, whose cache goes by the text of an instruction
#   break-it.sh ./skiff     the engine       (or: ./skiff --mine)
#
# Exit status: 0 when the image is stale, 1 when it is not.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

mkdir "$place/context"
printf 'FROM hostbox\nCOPY price /price\n' >"$place/context/Dockerfile"

sell() {
  if [ $# -eq 0 ]; then
    node "$here/naive.mjs" "$place/context" "$place/image" "$place/cache" >&2 || exit
    cat "$place/image/price"
  else
    "$@" build -t price-list "$place/context" >&2 || exit
    "$@" run --rm price-list cat /price
  fi
}

echo "10 euros" >"$place/context/price"
first=$(sell "$@")
echo "99 euros" >"$place/context/price"
second=$(sell "$@")
[ $# -eq 0 ] || "$@" rmi -f price-list >/dev/null
echo "first image: $first, second image: $second"
if [ "$second" = "99 euros" ]; then
  echo "HELD: what changed is in the image."
  exit 1
fi
echo "STALE: the image was built a moment ago, and has what was there before."
