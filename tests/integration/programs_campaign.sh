#!/bin/sh
# Which of the tiny programs' calls a campaign finds from a neutral seed, and after how many inputs.
# usage: tests/integration/programs_campaign.sh [TRIALS [EXECS [NAME...]]]
# TRIALS: 5; EXECS: 0 stands for each program's own number in tests/programs/TABLE.
# SYSREACH names the binary (build/sysreach); MUST_WORK=1: what cannot run here is a failure.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
trials=${1:-5}
execs=${2:-0}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] && shift
for need in afl-fuzz python3 gcc; do
    command -v "$need" > /dev/null && continue
    echo "programs_campaign: skipped: $need is not installed" >&2
    [ "${MUST_WORK:-0}" = 1 ] && exit 1
    exit 77
done
# Not in /tmp: the sandbox has one of its own, and the modules have to be seen there.
programs=$(mktemp -d -p /var/tmp)
trap 'rm -rf "$programs"' EXIT INT TERM
chmod 755 "$programs"
"$here/../programs/build.sh" "$programs"
export PYTHONDONTWRITEBYTECODE=1
python3 "$here/programs_check.py" campaign "$programs" --trials "$trials" --execs "$execs" "$@"
