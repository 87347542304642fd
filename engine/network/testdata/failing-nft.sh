#!/bin/sh
cat >/dev/null
echo "Error: Could not process rule: Operation not supported" >&2
exit 1
