#!/bin/sh
# A client pushes to a repository whose name climbs out of the registry's directory. Where does the manifest arrive?
#
#   break-it.sh                                      a naive registry
#   break-it.sh npx tsx labs/13-registry/serve.ts    with your plank: serve.ts DIRECTORY
#
# Exit status: 0 when a file lies outside of the directory, 1 when none does, 2 when nothing can be said: your plank is not
# written yet, say.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
place=$(mktemp -d)
mkdir -p "$place/above/it/registry"
[ $# -gt 0 ] || set -- node "$here/naive.mjs"
# In a process group of its own, so that all of it ends.
setsid "$@" "$place/above/it/registry" >"$place/url" 2>"$place/said" &
server=$!
trap 'kill -- -$server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$place"' EXIT
give_up() { cat "$place/said" >&2; echo "$1" >&2; exit 2; }
until [ -s "$place/url" ]; do
  kill -0 $server 2>/dev/null || give_up "The registry does not start."
  sleep 0.1
done
put() {
  node -e '
    const [url, path] = process.argv.slice(1);
    const type = "application/vnd.oci.image.index.v1+json";
    const request = require("http").request(url, { method: "PUT", path, headers: { "content-type": type } });
    request.on("response", ({ statusCode }) => { console.log(statusCode); process.exit(); });
    request.end(JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: [] }));
  ' "$(cat "$place/url")" "$1"
}

good=$(put /v2/good/name/manifests/one)
grep 'Your planks' "$place/said"
[ "$good" != 501 ] || give_up "The tasks 1 and 4 are not written yet: nothing was tried."
[ "$good" = 201 ] || give_up "A manifest with a good name is answered by ${good:-nothing}, so a bad name says nothing."
echo "good/name: $good, ../../escaped: $(put /v2/..%2f..%2fescaped/manifests/one)"
escaped=$(cd "$place/above" && find . -type f ! -path './it/registry/*')
[ -n "$escaped" ] || { echo "HELD: nothing lies outside of the registry's directory."; exit 1; }
echo "ESCAPED: the registry's directory is ./it/registry, and it wrote" $escaped
