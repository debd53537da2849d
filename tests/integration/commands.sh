#!/bin/bash
# What a user of the command line relies on: exit statuses, stdio, signals and job control under trace,
# attaching, sets in all forms, replays, clear errors.
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"
make_work

status() { "$@" >"$work/out" 2>"$work/err" </dev/null; echo $?; }

# trace: the command's own exit status, output and signals
is "trace: exit status" 7 "$(status "$SYSREACH" trace -o "$work/s" -- sh -c 'exit 7')"
is "trace: ends by the same signal" 137 "$(status bash -c "'$SYSREACH' trace -o '$work/s' -- sh -c 'kill -9 \$\$'; exit \$?")"
is "trace: no such program" 127 "$(status "$SYSREACH" trace -o "$work/s" -- no-such-program)"
is "trace: not executable" 126 "$(status "$SYSREACH" trace -o "$work/s" -- /etc/passwd)"
is "trace: stdin and stdout untouched" "$(printf 'a\nb' | od -c)" \
    "$(printf 'a\nb' | "$SYSREACH" trace -o "$work/s" -- cat | od -c)"
is "trace: stdout is the command's alone" "x" "$("$SYSREACH" trace -- echo x 2>/dev/null)"
is "trace: SIGTERM is passed on" "caught 3" "$(
    "$SYSREACH" trace -o "$work/s" -- bash -c 'trap "echo -n caught; exit 3" TERM; echo > '"$work/ready"'; for i in {1..100}; do sleep 0.1; done' &
    pid=$!
    for _ in {1..100}; do [[ -e $work/ready ]] && break; sleep 0.05; done
    kill -TERM $pid
    wait $pid
    echo " $?")"
is "trace: a stopped and continued child" "done 0" "$("$SYSREACH" trace -o "$work/s" -- \
    bash -c 'sleep 0.3 & kill -STOP $!; kill -CONT $!; wait $!; echo done $?')"
rm -f "$work/ready"
"$SYSREACH" trace -o "$work/s" --json -- sh -c 'ls / >/dev/null; true' </dev/null
is "trace: JSON names the images" "2" "$(python3 -c '
import json, sys
print(len([i for i in json.load(open(sys.argv[1]))["images"] if i["calls"]]))' "$work/s")"
"$SYSREACH" trace -o "$work/s" -- sh -c 'ls / >/dev/null; true' </dev/null
is "trace: per image" "yes no" "$(
    "$SYSREACH" set show --image ls "$work/s" | grep -qx getdents64 && echo -n "yes "
    "$SYSREACH" set show --image dash "$work/s" | grep -qx getdents64 && echo yes || echo no)"
is "trace: mapped objects" yes "$(grep -q '^# object: .*/libc.so.6' "$work/s" && echo yes)"

# trace -p
python3 -c '
import threading, time, sys, os
ends = time.time() + 6
def spin():
    while time.time() < ends: os.getppid(); time.sleep(0.02)
threads = [threading.Thread(target=spin) for _ in range(3)]
[t.start() for t in threads]; open(sys.argv[1], "w").close()
[t.join() for t in threads]; sys.exit(5)' "$work/ready" &
pid=$!
for _ in {1..100}; do [[ -e $work/ready ]] && break; sleep 0.05; done
timeout -s INT 1 "$SYSREACH" trace -p $pid -o "$work/p" 2>"$work/err"
is "trace -p: Ctrl-C ends the recording" yes "$(grep -qx getppid "$work/p" && echo yes)"
is "trace -p: the process is still there" yes "$(kill -0 $pid 2>/dev/null && echo yes)"
"$SYSREACH" trace -p $pid -o "$work/p" 2>"$work/err"
is "trace -p: ends with the process" 0 $?
wait $pid
is "trace -p: the process is unharmed" 5 $?
is "trace -p: until its exit" yes "$(grep -qx exit_group "$work/p" && echo yes)"
is "trace -p: no such process" 3 "$(status "$SYSREACH" trace -p 999999999)"

# set
printf 'read\nwrite\n' >"$work/a"
echo '[0, 257]' >"$work/b"
echo '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read","close"],"action":"SCMP_ACT_ALLOW"}]}' >"$work/c"
is "set union over three forms" "close openat read write" \
    "$("$SYSREACH" set union "$work/a" "$work/b" "$work/c" | grep -v '^#' | paste -sd ' ')"
is "set minus" write "$("$SYSREACH" set minus "$work/a" "$work/b" "$work/c" | grep -v '^#')"
is "set intersect" read "$("$SYSREACH" set intersect "$work/a" "$work/b" "$work/c" | grep -v '^#')"
is "set show --numbers" "0 257" "$("$SYSREACH" set show --numbers "$work/b" | grep -v '^#' | paste -sd ' ')"
is "set compare: they differ" 1 "$(status "$SYSREACH" set compare "$work/a" "$work/b")"
is "set compare: they are the same" 0 "$(status "$SYSREACH" set compare "$work/a" "$work/a")"
echo 'no_such_call' >"$work/d"
is "set: an unknown name" 2 "$(status "$SYSREACH" set show "$work/d")"
has "set: which and where" "line 1" "$work/err"
is "set: no such file" 2 "$(status "$SYSREACH" set show "$work/none")"

# replay without a campaign
printf 'arg a\narg b\nfile a\n|one\nfile b\n|two\n' >"$work/s.scn"
is "replay: a call that happens" 0 "$(status "$SYSREACH" replay --program diff "$work/s.scn" write)"
has "replay: how often" "made in 10 of 10 runs" "$work/out"
is "replay: a call that does not" 1 "$(status "$SYSREACH" replay --program diff "$work/s.scn" socket)"
is "replay --exec shows the output" "< one" "$("$SYSREACH" replay --exec --program diff "$work/s.scn" | sed -n 2p)"
printf 'time 300\narg 100\n' >"$work/t.scn"
is "replay: the time limit holds" 0 "$(status timeout 5 "$SYSREACH" replay --program sleep "$work/t.scn")"

# installed elsewhere, started from elsewhere
"${MAKE:-make}" --no-print-directory install B="${B:-build}" DESTDIR="$work/root" PREFIX=/usr >"$work/out" 2>&1
is "make install" 0 $?
is "installed: a target is found, a campaign runs" 0 "$(cd / && status "$work/root/usr/bin/sysreach" fuzz -E 100 -o "$work/installed" diff)"
is "installed: manual pages for every command" 8 "$(find "$work/root/usr/share/man/man1" -name 'sysreach-*.1' | wc -l)"

# errors
is "no arguments" 2 "$(status "$SYSREACH")"
is "an unknown command" 2 "$(status "$SYSREACH" frobnicate)"
is "a bad option" 2 "$(status "$SYSREACH" trace --frobnicate)"
is "help" 0 "$(status "$SYSREACH" --help)"
for c in trace bound set fuzz status report show replay; do
    has "help names $c" "$c" "$work/out"
done
for c in trace bound fuzz status report show replay; do
    is "$c --help" 0 "$(status "$SYSREACH" $c --help)"
done
is "fuzz: no such target" 2 "$(status "$SYSREACH" fuzz -t 1s -o "$work/c" no-such-target)"
is "fuzz: a script is no ELF" 2 "$(status "$SYSREACH" fuzz -t 1s -o "$work/c" -- ./tests/run.sh)"
is "report: no campaign" 2 "$(status "$SYSREACH" report "$work")"

summary
