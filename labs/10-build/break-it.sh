#!/bin/sh
# Build, change a file, build again: is the change in the image?
#
#   break-it.sh                       a naive builder, whose cache goes by the text of an instruction
#   break-it.sh ./skiff               the engine, or with your plank: ./skiff --mine=build
#
# Exit status: 0 when the image is stale, 1 when it is not, 2 when nothing can be said: your plank is not written yet, say.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
give_up() { cat "$place/log" >&2; echo "$1"; exit 2; }

mkdir "$place/context"
printf 'FROM hostbox\nCOPY price /price\n' >"$place/context/Dockerfile"
sell() {
  echo "$price" >"$place/context/price"
  if [ $# -eq 0 ]; then
    node "$here/naive.mjs" "$place/context" "$place/image" "$place/cache" >"$place/log" && cat "$place/image/price"
  else
    "$@" build -t price-list "$place/context" >"$place/log" 2>&1 && "$@" run --rm price-list cat /price 2>/dev/null
  fi
}
check_log() {
  grep -q 'not written yet' "$place/log" && give_up "Your plank is not written yet: see ./workshop check build."
  grep -q 'Your planks' "$place/log" || return 0
  grep -q 'Your planks: [^.]*build' "$place/log" || give_up "build is not written yet, or its check is not green: ./workshop check build"
  grep 'Your planks' "$place/log" >&2
}

first=$(price="10 euros"; sell "$@") || { check_log; give_up "The build failed, so this says nothing about its cache."; }
check_log
second=$(price="99 euros"; sell "$@") || give_up "The build failed, so this says nothing about its cache."
[ $# -eq 0 ] || "$@" rmi -f price-list >/dev/null 2>&1
echo "first image: $first, second image: $second"
[ "$second" != "99 euros" ] || { echo "HELD: what changed is in the image."; exit 1; }
[ "$second" = "$first" ] || give_up "The image has neither price."
echo "STALE: the image was built a moment ago, and has what was there before."
