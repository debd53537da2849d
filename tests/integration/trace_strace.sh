#!/bin/sh
# `sysreach trace` against `strace -f` on real commands: the same set of calls for each image, and the
# same output and exit status as untraced. trace_commands.txt lists the commands, trace_compare.py
# says when a difference counts.
# usage: tests/integration/trace_strace.sh [--only TEXT] [--strace-only]
# SYSREACH names the binary (build/sysreach); MUST_WORK=1: a command that cannot run is a failure.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
for need in strace python3 gcc; do
    command -v "$need" > /dev/null && continue
    echo "trace_strace: skipped: $need is not installed; apt-get install $need" >&2
    [ "${MUST_WORK:-0}" = 1 ] && exit 1
    exit 77
done
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT INT TERM
# Others may have to run what is built here.
chmod 755 "$programs"
"$here/../programs/build.sh" "$programs"
PYTHONDONTWRITEBYTECODE=1 python3 "$here/trace_compare.py" "$here/trace_commands.txt" "$programs" "$@"
