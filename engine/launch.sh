# Sourced by ./skiff, ./workshop and ./grade, which set SKIFF_HOME (the clone) and SKIFF_ENTRY (the bundle), and have
# the command's arguments in "$@". Makes sure of Node, packages and build, then becomes the command.
# When everything is fresh this runs one program, find(1), before Node.

skiff_stamp=$SKIFF_HOME/.build/default/.stamp

skiff_stop() {
  printf '%s\n' "$1" >&2
  exit 1
}

skiff_node=$(command -v node) || skiff_stop \
  "Node.js is not installed. Install version 20.19 or newer, for example from https://nodejs.org/en/download, and run this again."

[ -d "$SKIFF_HOME/.build" ] || mkdir "$SKIFF_HOME/.build" 2>/dev/null || skiff_stop \
  "This user cannot write to $SKIFF_HOME, where the build goes. Clone the repository into a folder of your own."

# Asking node for its version costs a start of node: once per node is enough.
skiff_checked=
[ ! -f "$SKIFF_HOME/.build/node" ] || read -r skiff_checked <"$SKIFF_HOME/.build/node"
if [ "$skiff_checked" != "$skiff_node" ]; then
  node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1);
  ' || skiff_stop \
    "Node.js $(node --version) at $skiff_node is too old: version 20.19 or newer is needed. Get one from https://nodejs.org/en/download."
  printf '%s\n' "$skiff_node" 2>/dev/null >"$SKIFF_HOME/.build/node" || :
fi

# Not every shell calls a file newer than one that does not exist.
if [ ! -f "$SKIFF_HOME/.build/installed" ] || [ ! -d "$SKIFF_HOME/node_modules" ] ||
  [ "$SKIFF_HOME/package-lock.json" -nt "$SKIFF_HOME/.build/installed" ]; then
  node "$SKIFF_HOME/engine/install.mjs" || exit 1
fi

# The same question that build.mjs asks itself, without a start of node.
if [ ! -f "$skiff_stamp" ] || [ ! -f "$SKIFF_HOME/.build/default/$SKIFF_ENTRY.cjs" ] ||
  [ -n "$(find "$SKIFF_HOME/engine" "$SKIFF_HOME/grader" "$SKIFF_HOME/package.json" "$SKIFF_HOME/tsconfig.json" \
    -newer "$skiff_stamp" -type f '(' -name '*.ts' -o -name '*.json' -o -name '*.mjs' ')' ! -name '*.test.ts' \
    -print -quit)" ]; then
  node "$SKIFF_HOME/engine/build.mjs" --need "$SKIFF_ENTRY" || exit 1
fi

# Node reads some options of its own (--env-file) anywhere on the line, unless the line says where they end.
exec node -- "$SKIFF_HOME/.build/default/$SKIFF_ENTRY.cjs" "$@"
