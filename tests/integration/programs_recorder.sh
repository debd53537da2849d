#!/bin/sh
# Every tiny program of tests/programs: its trigger scenario, replayed by sysreach, shows the hidden
# call and its neutral one does not. Before that strace says whether the programs themselves do it.
# usage: tests/integration/programs_recorder.sh [NAME...]
# SYSREACH names the binary (build/sysreach); MUST_WORK=1: what cannot run here is a failure.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
for need in strace python3 gcc; do
    command -v "$need" > /dev/null && continue
    echo "programs_recorder: skipped: $need is not installed; apt-get install $need" >&2
    [ "${MUST_WORK:-0}" = 1 ] && exit 1
    exit 77
done
# Not in /tmp: the sandbox has one of its own, and the modules have to be seen there.
programs=$(mktemp -d -p /var/tmp)
trap 'rm -rf "$programs"' EXIT INT TERM
chmod 755 "$programs"
"$here/../programs/build.sh" "$programs"
export PYTHONDONTWRITEBYTECODE=1
python3 "$here/../programs/check_native.py" "$programs" "$@"
python3 "$here/programs_check.py" recorder "$programs" "$@"
