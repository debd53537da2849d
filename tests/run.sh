#!/bin/bash
# Runs all tests, one step after the other: "ok NAME" or "not ok NAME" with the tail of its output, and a
# summary. The whole output of a step lies in build/check/NAME.log.
#
# A step that cannot run here exits with 77 and says why; with MUST_WORK=1 that is a failure.
# STEPS="unit trace" runs only those.
set -u
cd "$(dirname "$0")/.." || exit 2
B=${B:-build}
MAKE=${MAKE:-make}
export B MAKE SYSREACH=$PWD/$B/sysreach
[[ $B = /* ]] && export SYSREACH=$B/sysreach
logs=$B/check
mkdir -p "$logs"
passed=0 failed=0 skipped=0

step() { # NAME COMMAND...
    local name=$1 began=$SECONDS status
    shift
    [[ -z ${STEPS:-} || " $STEPS " == *" $name "* ]] || return
    "$@" >"$logs/$name.log" 2>&1 </dev/null
    status=$?
    if [[ $status -eq 0 ]]; then
        echo "ok $name ($((SECONDS - began)) s): $(grep -v '^$' "$logs/$name.log" | tail -n 1)"
        passed=$((passed + 1))
    elif [[ $status -eq 77 && -z ${MUST_WORK:-} ]]; then
        echo "skipped $name: $(tail -n 1 "$logs/$name.log")"
        skipped=$((skipped + 1))
    else
        echo "not ok $name ($((SECONDS - began)) s), exit status $status; the end of $logs/$name.log:"
        tail -n 30 "$logs/$name.log" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}

accept() {
    "$MAKE" --no-print-directory "$B/config_mutate" B="$B" && python3 tests/integration/config_accept.py 300
}

step lint tests/lint.sh
step unit "$MAKE" --no-print-directory unit B="$B"
step sanitize tests/sanitize.sh
step deps tests/integration/deps.sh
step trace tests/integration/trace_strace.sh
step jobcontrol python3 tests/integration/jobcontrol.py
step programs tests/integration/programs_recorder.sh
step commands tests/integration/commands.sh
step bound-commands tests/integration/bound_commands.sh
step bound-cases python3 tests/integration/bound_cases.py
step bound-sound python3 tests/integration/bound_sound.py --quick
step bound-stacks python3 tests/integration/bound_stacks.py --quick
step campaign tests/integration/campaign.sh
step containment tests/integration/containment.sh
step fixtures tests/integration/fixtures.sh
step peers tests/integration/peers.sh
step accept accept
step openssh python3 tests/integration/openssh.py
step instrument tests/integration/instrument.sh

echo
echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed -eq 0 && $passed -gt 0 ]]
