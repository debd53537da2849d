#!/bin/bash
# Campaigns as a user runs them: on a target, on a bare command, resumed, with two instances, killed,
# without room. Then whether what was recorded is exact.
#
# SECONDS_EACH (default 20), INPUTS for the exactness check (40), KILLS (5) make it longer.
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"
make_work
seconds=${SECONDS_EACH:-20}

json() { # FILE EXPRESSION over j
    python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"
}
fuzz() { "$SYSREACH" fuzz "$@" >"$work/out" 2>"$work/err" </dev/null; }

# A campaign on the target.
c=$work/diff
fuzz -t "${seconds}s" -o "$c" diff
is "fuzz: exit status" 0 $?
"$SYSREACH" report --json "$c" >"$work/report.json"
is "report: exit status" 0 $?
is "report: the reference's calls are observed" "[]" \
    "$(json "$work/report.json" 'j["reference"]["only_reference"]')"
is "report: a discovery has what the documents say" True "$(json "$work/report.json" '
all({"call","image","abi","nr","origin","seconds","input","instance","witness","replays","replayed","state"} <= d.keys()
    for d in j["discoveries"]) and len(j["discoveries"]) > 20')"
is "report: nothing lost" "0" "$(grep -c 'lost for want of room: [^0]' <("$SYSREACH" report "$c"))"
is "status: says that it ended" yes "$("$SYSREACH" status "$c" | grep -q 'ended' && echo yes)"
is "show: evidence with a call stack" yes "$("$SYSREACH" show "$c" getdents64 | grep -q '^ *#0' && echo yes)"
is "report: the bound's gap is what was not observed, each call with its chain" True "$(json "$work/report.json" '
(lambda b, seen: not b["violations"] and not b["notes"] and seen <= set(b["tight"]["calls"]) and len(b["gap"]) > 10 and
    {g["call"] for g in b["gap"]} == set(b["sound"]["calls"]) - seen and
    all(len(g["chain"]) == g["steps"] and g["chain"][-1]["kind"] == "site" for g in b["gap"]))(
    j["bound"], set(j["images"][0]["observed"]) - {e["call"] for e in j["bound"]["explained"]})')"
is "report: the text says how much was observed" 1 \
    "$("$SYSREACH" report "$c" | grep -c 'observed of the tight bound  [0-9]* of [0-9]* (')"
is "report --no-bound" None "$(json <("$SYSREACH" report --json --no-bound "$c") 'j["bound"]')"
gap=$(json "$work/report.json" 'j["bound"]["gap"][0]["call"]')
"$SYSREACH" show "$c" "$gap" >"$work/out"
is "show: a call that was not observed" 1 $?
is "show: the chain to it" yes "$(grep -q "enters the kernel at .*: $gap" "$work/out" && echo yes)"
"$SYSREACH" replay "$c" getdents64 >"$work/out"
is "replay: a discovery happens on the stock binary" 0 $?
"$SYSREACH" replay "$c" mount >"$work/out" 2>&1
is "replay: a call that was not observed" 1 $?
for l in as core cpu data fsize memlock nofile nproc stack; do echo "limit $l 1"; done >"$work/least.scn"
"$SYSREACH" replay "$c" "$work/least.scn" sigaltstack >"$work/out" 2>&1
is "replay: the smallest limits leave the program its start" 0 $?
"$SYSREACH" set compare "$c" <("$SYSREACH" set show "$c") >"$work/out"
is "set reads a campaign folder" 0 $?

# Our counters are afl-fuzz's, but for runs that were cut off by its end.
stats=$(ls -d "$c"/afl/*/fuzzer_stats)
theirs=$(sed -n 's/^execs_done *: //p' "$stats")
ours=$(json "$work/report.json" 'j["counters"]["inputs"]')
is "counters agree with afl-fuzz's ($ours, $theirs)" 1 $(((ours - theirs) ** 2 <= 4))
python3 tests/integration/exactness.py "$c" "${INPUTS:-40}" >"$work/exact"
status=$?
is "exactness: $(tail -n 1 "$work/exact")" 0 $status
[[ $status -eq 0 ]] || cat "$work/exact"

# Resume.
before=$ours
fuzz -t 5s --resume "$c"
is "resume: exit status" 0 $?
"$SYSREACH" status --json "$c" >"$work/status.json"
is "resume: goes on" True "$(json "$work/status.json" "j['inputs'] > $before")"

# Ctrl-C ends it cleanly.
"$SYSREACH" fuzz -o "$work/ctrlc" diff >"$work/out" 2>"$work/err" </dev/null &
pid=$!
for _ in {1..200}; do
    [[ $("$SYSREACH" status --json "$work/ctrlc" 2>/dev/null | grep -c '"inputs": [1-9]') -gt 0 ]] && break
    sleep 0.1
done
kill -INT $pid
wait $pid
is "fuzz: SIGINT ends it with 0" 0 $?

# A bare command with @@, raw seeds.
mkdir "$work/raw"
printf 'b\na\n' >"$work/raw/one"
fuzz -t 5s -o "$work/sort" -i "$work/raw" -- sort -u @@
is "fuzz -- sort -u @@: exit status" 0 $?
is "fuzz -- sort: the file was read" yes \
    "$("$SYSREACH" set show --image sort "$work/sort" | grep -qx fadvise64 && echo yes)"

# A program whose calls come from a module: they are in the bound, and violate it once the module is gone.
mkdir "$work/module"
cat >"$work/module/module.c" <<'END'
long enter(void);
long enter(void) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(110L) : "rcx", "r11", "memory");
    return result;
}
END
cat >"$work/module/main.c" <<'END'
#include <dlfcn.h>
int main(int argc, char **argv) {
    void *module = dlopen(MODULE, RTLD_NOW);
    long (*enter)(void) = (long (*)(void))dlsym(module, "enter");

    return argc > 9 || !argv[0] || enter() < 0;
}
END
cc -O1 -shared -fPIC -o "$work/module/module.so" "$work/module/module.c" &&
    cc -O1 -DMODULE="\"$work/module/module.so\"" -o "$work/module/main" "$work/module/main.c"
is "a program with a module is built" 0 $?
fuzz -t 5s -o "$work/dl" -i "$work/raw" -- "$work/module/main" @@
"$SYSREACH" report --json "$work/dl" >"$work/dl.json"
is "report: a module that was mapped is in the bound" "[] True" "$(json "$work/dl.json" \
    'str(j["bound"]["violations"]) + " " + str("getppid" in j["bound"]["tight"]["calls"])')"
rm "$work/module/module.so"
"$SYSREACH" report --json "$work/dl" >"$work/dl.json"
is "report: without the module the bound is violated, and the stack says where" \
    "[('getppid', 0, 'outside the bound', 'reachable')] True" "$(json "$work/dl.json" \
    '(str([(v["call"], v["cause"], *(f["verdict"] for f in v["frames"][:2])) for v in j["bound"]["violations"]]) +
" " + str("module.so is not there any more" in j["bound"]["notes"][0]))')"
is "report: the text says so" 1 "$("$SYSREACH" report "$work/dl" | grep -c '^BOUND VIOLATED (1)')"
rm "$work/module/main"
"$SYSREACH" report --json "$work/dl" >"$work/dl.json"
is "report: without the program there is no bound" "0 None True" "$? $(json "$work/dl.json" \
    'str(j["bound"]["tight"]) + " " + str("there is no bound" in j["bound"]["notes"][0])')"

# Two instances observe together what each of them does.
fuzz -t 10s -j 2 -o "$work/two" diff
is "fuzz -j 2: exit status" 0 $?
"$SYSREACH" status --json "$work/two" >"$work/two.json"
is "fuzz -j 2: both have run" True "$(json "$work/two.json" \
    'len(j["instances"]) == 2 and all(i["inputs"] > 100 for i in j["instances"])')"

# No room, no permission: said, and nothing half-made.
mkdir "$work/ro"
chmod 555 "$work/ro"
if [[ $(id -u) -eq 0 ]]; then where=/proc/sysreach; else where=$work/ro/c; fi
fuzz -t 5s -o "$where" diff
is "fuzz: a folder that cannot be made" 3 $?
is "fuzz: says which" yes "$(grep -qF "$where" "$work/err" && echo yes)"
tests/integration/full_disk.sh >"$work/full" 2>&1
status=$?
is "a full disk: $(tail -n 1 "$work/full")" 0 $status

# kill -9 at any moment.
python3 tests/integration/kill9.py "${KILLS:-5}" >"$work/kill"
status=$?
is "kill -9: $(tail -n 1 "$work/kill")" 0 $status
# shellcheck disable=SC2154 # lib.sh sets it
[[ $failed -eq 0 ]] || cat "$work/exact" "$work/kill" "$work/full"

summary
