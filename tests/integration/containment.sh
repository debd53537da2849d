#!/bin/bash
# What tries to get out of the sandbox stays in it: tests/containment/attempt.c tries each way once,
# in replays and in a campaign, as this user and (as root) as an ordinary user too, and as root with
# the capabilities that sshd needs. Prints a table; then proves that an escape would be noticed.
#
# Exits with 77 where bubblewrap cannot make a sandbox. SECONDS_EACH (default 12): of a campaign.
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"
seconds=${SECONDS_EACH:-12}
make_work visible
me=$(id -un)

need_sandbox
canary=$work/canary c=$work/campaign
mkdir "$canary" "$work/bin" "$work/seeds"
echo "as it was" >"$canary/file"
chmod 777 "$canary"
cc -O1 -D_GNU_SOURCE -DCANARY="\"$canary\"" -DCAMPAIGN="\"$c\"" -o "$work/bin/attempt" \
    tests/containment/attempt.c || exit 2
mapfile -t attempts < <("$work/bin/attempt")
for a in "${attempts[@]}"; do echo "arg $a" >"$work/seeds/$a.scn"; done
# sshd's capabilities; they count only as root.
cat >"$work/attempt.target" <<END
program $work/bin/attempt
capability CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_SETUID CAP_SETGID CAP_KILL CAP_SYS_CHROOT
capability CAP_AUDIT_WRITE
END

# Whatever an escape could change outside of the campaign's own folder.
look() {
    ls -A / /usr /etc /dev 2>&1
    ls -lA --time-style=full-iso /etc/passwd "$canary" "$work/bin" "$work/seeds"
    find / -maxdepth 4 -xdev \( -name sysreach-escape -o -name 'sysreach-left*' \) 2>/dev/null
}
processes() { pgrep -c -f "^($work/bin/attempt|.*$work/bin/attempt )"; }
wait_for_none() {
    for _ in {1..30}; do
        [[ $(processes) -eq 0 ]] && break
        sleep 0.1
    done
    processes
}
outcome() { # FILE: a set of calls
    if grep -qx sched_get_priority_min "$1"; then echo ESCAPED
    elif grep -qx sched_get_priority_max "$1"; then echo contained
    else echo ended; fi
}

before=$(look)

# Each attempt alone, three runs in a row; without the target's capabilities.
printf '%-14s %-14s %s\n' "as $me" "outcome" "processes left"
escaped=0 left=0 unsure=0
for a in "${attempts[@]}"; do
    "$SYSREACH" replay -n 3 --program "$work/bin/attempt" "$work/seeds/$a.scn" >"$work/set" 2>"$work/err"
    is "replay of $a: exit status" 0 $?
    o=$(outcome "$work/set") n=$(wait_for_none)
    printf '%-14s %-14s %s\n' "$a" "$o" "$n"
    [[ $o != ESCAPED ]] || escaped=$((escaped + 1))
    [[ $o != ended || $a = forkbomb ]] || unsure=$((unsure + 1))
    left=$((left + n))
done
is "replays: escapes" 0 $escaped
is "replays: attempts that told nothing" 0 $unsure
is "replays: processes left" 0 $left

# All of them in a campaign, again and again; with the target's capabilities.
"$SYSREACH" fuzz -t "${seconds}s" -i "$work/seeds" -o "$c" "$work/attempt.target" >"$work/out" 2>"$work/err" </dev/null
is "campaign: exit status" 0 $?
"$SYSREACH" set show "$c" --image "$work/bin/attempt" >"$work/set"
is "campaign: the union opens" 0 $?
is "campaign: outcome of all attempts" contained "$(outcome "$work/set")"
[[ $(outcome "$work/set") != ESCAPED ]] || "$SYSREACH" show "$c" sched_get_priority_min
inputs=$("$SYSREACH" status --json "$c" | sed -n 's/^ *"inputs": \([0-9]*\),*$/\1/p' | head -n 1)
is "campaign: it went on ($inputs inputs of ${#attempts[@]} attempts)" 1 $((inputs > 2 * ${#attempts[@]}))
is "campaign: the instance was never started again" 0 "$(grep -c 'started again' "$work/err")"
is "campaign: the hook had no errors" 0 "$(find "$c/hook" -name '*.error' | wc -l)"
is "campaign: processes left" 0 "$(wait_for_none)"
"$SYSREACH" fuzz -t 3s --resume "$c" >"$work/out" 2>"$work/err" </dev/null
is "campaign: goes on" 0 $?

# Killing the supervisor leaves nothing either.
"$SYSREACH" fuzz -t 60s -i "$work/seeds" -o "$work/killed" "$work/attempt.target" >"$work/out" 2>"$work/err" </dev/null &
pid=$!
for _ in {1..100}; do
    [[ $("$SYSREACH" status --json "$work/killed" 2>/dev/null | grep -c '"inputs": [1-9]') -gt 0 ]] && break
    sleep 0.1
done
kill -9 $pid
wait $pid 2>/dev/null
is "kill -9 of the supervisor: processes left" 0 "$(wait_for_none)"

is "nothing outside has changed" "" "$(diff <(echo "$before") <(look))"
is "the canary is as it was" "as it was" "$(cat "$canary"/*)"

# The test can fail: the same program outside does what it wants, and that is noticed.
"$work/bin/attempt" canary
is "proof: outside of the sandbox the canary is reached" 1 $?
is "proof: which is seen" 1 $(($(diff <(echo "$before") <(look) | wc -l) > 0))
rm -f "$canary/sysreach-escape"
"$work/bin/attempt" stay
is "proof: outside of the sandbox processes stay, and are seen" 1 $(($(processes) > 0))
"$SYSREACH" trace -o "$work/set" "$work/bin/attempt" canary >"$work/out" 2>&1
is "proof: the outcome of an escape is told" ESCAPED "$(outcome "$work/set")"
rm -f "$canary/sysreach-escape"

# As an ordinary user, where that can be tried from here.
if [[ $(id -u) -eq 0 && -z ${SYSREACH_NESTED:-} ]]; then
    mkdir "$work/tool"
    cp "$(dirname "$SYSREACH")"/{sysreach,*.so} "$work/tool/"
    chmod -R a+rX "$work" tests 2>/dev/null
    echo
    SYSREACH_NESTED=1 SYSREACH=$work/tool/sysreach HOME=/nonexistent \
        setpriv --reuid 65534 --regid 65534 --clear-groups "$0" >"$work/nested" 2>&1
    status=$?
    sed 's/^ok/    ok/; s/^not ok/    not ok/' "$work/nested"
    is "as an ordinary user: $(tail -n 1 "$work/nested")" 0 $status
fi

summary
