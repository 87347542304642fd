#!/bin/sh
# Build, change a file, build again: is the change in the image?
#
#   break-it.sh                       a naive builder, whose cache goes by the text of an instruction
#   break-it.sh ./skiff               the engine
#   break-it.sh ./skiff --mine=build  the engine with your plank
#
# Exit status: 0 when the image is stale, 1 when it is not, 2 when nothing could be said, e.g. since your plank is not
# written yet.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

mkdir "$place/context"
printf 'FROM hostbox\nCOPY price /price\n' >"$place/context/Dockerfile"

give_up() {
  cat "$place/log" >&2
  if grep -q 'not written yet' "$place/log"; then
    echo "Your plank is not written yet: ./workshop check build says where to begin."
  else
    echo "The build did not end well, so this says nothing about the cache."
  fi
  exit 2
}

# The engine names the planks that it runs with; without yours this would be about somebody else's work.
only_with_yours() {
  grep 'Your planks' "$place/log" >&2 || return 0
  grep -q 'Your planks: [^.]*build' "$place/log" && return 0
  echo "Your plank takes no part: it is not written yet, or does not pass. Try --mine=build."
  exit 2
}

if [ $# -eq 0 ]; then
  build() { node "$here/naive.mjs" "$place/context" "$place/image" "$place/cache"; }
  price() { cat "$place/image/price"; }
else
  skiff=$*
  # shellcheck disable=SC2086
  build() { $skiff build -t price-list "$place/context"; }
  # shellcheck disable=SC2086
  price() { $skiff run --rm price-list cat /price 2>/dev/null; }
fi

echo "10 euros" >"$place/context/price"
build >"$place/log" 2>&1 || give_up
only_with_yours
first=$(price)
echo "99 euros" >"$place/context/price"
build >"$place/log" 2>&1 || give_up
second=$(price)
# shellcheck disable=SC2086
[ $# -eq 0 ] || $skiff rmi -f price-list >/dev/null 2>&1
echo "first image: $first, second image: $second"
if [ "$second" = "99 euros" ]; then
  echo "HELD: what changed is in the image."
  exit 1
fi
[ "$second" = "$first" ] || { echo "The image has neither price, so this says nothing about the cache."; exit 2; }
echo "STALE: the image was built a moment ago, and has what was there before."
