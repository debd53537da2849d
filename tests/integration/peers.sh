#!/bin/bash
# What docs/scenario.md promises of peers: who starts when, what they reach, how all ends; and that
# what is recorded is exact. Outcomes are told by programs named mark-NAME, as tests/peers/actor.c
# says; each scenario is run several times, and what it has to do it has to do each time.
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"
make_work visible
runs=5

need_sandbox
mkdir "$work/bin" "$work/seeds"
cc -O1 -D_GNU_SOURCE -o "$work/bin/actor" tests/peers/actor.c || exit 2
echo 'int main(void) { return 0; }' | cc -O1 -static -o "$work/bin/mark" -x c - || exit 2
grep -oh 'mark-[a-z]*\(-[a-z]\+\)*' tests/peers/actor.c "$0" | sort -u | while read -r m; do
    [[ $m = mark- ]] || ln "$work/bin/mark" "$work/bin/$m"
done

scenario() { # standard input, with the variables that all of them have
    echo "env PATH=$work/bin:/run/sysreach/lib:/usr/bin:/bin"
    cat
}
replay() { "$SYSREACH" replay --program "$program" "$@" 2>"$work/err"; }
# Standard input is a scenario; the marks have to be made in each of its runs, those with ! in none.
try() { # NAME PROGRAM MARK...
    local name=$1 m began=$EPOCHREALTIME made times
    program=$2
    shift 2
    scenario >"$work/scn"
    for m; do
        times=$runs
        [[ $m != !* ]] || times=0
        made=$(replay -n $runs --image "mark-${m#!}" "$work/scn" exit_group)
        is "$name: ${m#!}" "exit_group: made in $times of $runs runs by mark-${m#!}" "$made"
    done
    # Milliseconds for one run, the sandbox's start included.
    took=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000 / runs / $#))
}
quick() { is "$1: takes less than $2 ms ($took)" 1 $((took < $2)); }

# Before.
try "before comes first, and to its end" /bin/bash after !before <<'END'
arg -c
arg [[ $(cat state) = "one two" ]] && mark-after || mark-before
before sleep 0.1; printf one >state
before false
before printf ' two' >>state
END
try "what before leaves is there, and ends with the run" /bin/bash alone !crowd <<'END'
time 5000
arg -c
arg [[ $(cat /proc/[0-9]*/comm | grep -cx sleep) = 1 ]] && mark-alone || mark-crowd
before sleep 60 &
END
quick "and nobody waits for it" 1000
try "a before that does not end is out of time" /bin/bash clean !dirty <<'END'
time 300
arg -c
arg true
before [ $(cat /proc/[0-9]*/comm | grep -cx sleep) = 0 ] && mark-clean || mark-dirty
before sleep 60 & sleep 60
END
quick "which counts for it as well" 1000

# Idle.
try "idle: two that wait for each other" /bin/bash begun !more <<'END'
time 8000
idle 200
arg -c
arg exec 3<>/dev/tcp/127.0.0.1/7; mark-begun; read -u 3 x; mark-more
serve tcp:7 read x
END
quick "are not waited for" 2000
try "idle: a program that is stopped" /bin/bash begun !more <<'END'
time 8000
idle 200
arg -c
arg mark-begun; kill -STOP $$; mark-more
END
quick "is no more" 2000
try "idle: who computes is not" /bin/bash computed <<'END'
time 9000
idle 50
arg -c
arg for ((i = 0; i < 500000; i++)); do :; done; mark-computed
END
try "idle: who sleeps longer is" /bin/bash awake !late <<'END'
time 8000
idle 300
arg -c
arg sleep 0.1; mark-awake; sleep 1; mark-late
END
try "idle: while somebody types nobody is" /bin/bash typed <<'END'
time 8000
idle 300
arg -c
arg stty -echo; read a; read b; [[ $a$b = onetwo ]] && mark-typed
stdin pty pace=60
|one
|two
stdout pty
END

# Serve.
try "serve tcp: several connections, both families" /bin/bash all served <<'END'
arg -c
arg for a in 127.0.0.1 ::1 127.0.0.5; do exec 3<>/dev/tcp/$a/7; echo you >&3; read -u 3 x; y+=$x; done; [[ $y = hi-youhi-youhi-you ]] && mark-all
serve tcp:7 read a; mark-served; echo hi-$a
END
try "serve tcp: two at a time, and two ports" /bin/bash all <<'END'
arg -c
arg exec 3<>/dev/tcp/localhost/7 4<>/dev/tcp/localhost/7 5<>/dev/tcp/localhost/8; echo b >&4; echo a >&3; read -u 5 c; read -u 4 b; read -u 3 a; [[ $a$b$c = abc ]] && mark-all
serve tcp:7 cat
serve tcp:8 echo c
END
try "serve: 32 connections and no more" /bin/bash all !more <<'END'
time 5000
arg -c
arg for i in {1..33}; do exec 3<>/dev/tcp/127.0.0.1/7; read -t 0.5 -u 3 x || break; done; [[ $i = 33 ]] && mark-all; [[ $x = hi ]] && mark-more
serve tcp:7 echo hi
END
try "serve udp: the socket itself, for all packets" /bin/bash answered <<'END'
arg -c
arg exec 3<>/dev/udp/127.0.0.1/53; for i in 1 2 3; do printf "\\x12\\x3$i\\x01\\0\\0\\x01\\0\\0\\0\\0\\0\\0\\x01x\\x04test\\0\\0\\x01\\0\\x01" >&3; a+=$(head -c 2 <&3 | od -An -tx1); done; [[ $a = ' 12 31 12 32 12 33' ]] && mark-answered
serve udp:53 exec sysreach-peer dns
END
try "serve unix: a socket in the tree" "$work/bin/actor" answered !nobody <<'END'
arg unix
arg dir/sock
dir dir
serve unix:dir/sock read a && echo $a
END
program=$work/bin/actor answered=0
# The recorder's table of processes moves as it grows, at some number of them.
for n in {117..128}; do
    printf 'time 5000\narg crowd\narg %s\nserve tcp:7 echo hi\n' "$n" | scenario >"$work/scn"
    replay --image mark-answered "$work/scn" >"$work/out" && answered=$((answered + 1))
done
is "serve: whatever the number of processes before" 12 $answered

# Inet.
try "inet: the program is given a connection, a client talks to it" "$work/bin/actor" heard connection client <<'END'
arg inet
stdin inet
stdout inet
client echo x | sysreach-peer tcp 127.0.0.1 22 | grep -qx yes && mark-client
END
try "inet: a client that has gone already was there" "$work/bin/actor" heard !no-connection <<'END'
arg inet
stdin inet
client exec bash -c 'echo x >/dev/tcp/127.0.0.1/22'
END
try "inet: without a client nobody waits" "$work/bin/actor" no-connection <<'END'
time 5000
arg inet
stdin inet
END
quick "inet" 1000
try "inet: nor where before is over" "$work/bin/actor" no-connection <<'END'
time 5000
arg inet
stdin inet
before true
END
quick "inet, before" 1000
try "inet: a client that never connects" "$work/bin/actor" no-connection client <<'END'
time 5000
arg inet
stdin inet
client mark-client
END
quick "inet, no connection" 1000

# Servers.
try "a daemon: clients come when it waits, and it is told to end" "$work/bin/actor" served told client <<'END'
time 5000
arg daemon
arg 2222
client echo x | sysreach-peer tcp 127.0.0.1 2222 | grep -qx yes && mark-client
END
quick "a daemon" 1000
try "a server in the foreground, two clients" "$work/bin/actor" told all !dirty <<'END'
time 5000
arg server
arg 2222
client echo x | sysreach-peer tcp 127.0.0.1 2222 | grep -qx yes || mark-dirty; : >a; [ ! -e b ] || mark-all
client echo x | sysreach-peer tcp 127.0.0.1 2222 | grep -qx yes || mark-dirty; : >b; [ ! -e a ] || mark-all
END
try "a server that ignores SIGTERM" "$work/bin/actor" served !told <<'END'
time 5000
arg stubborn
arg 2222
client echo x | sysreach-peer tcp 127.0.0.1 2222
END
quick "which is ended" 1000
try "a server whose client never connects" "$work/bin/actor" told client !served <<'END'
time 5000
arg server
arg 2222
client mark-client
END
try "a program that never listens has no clients" /bin/bash all !client <<'END'
arg -c
arg sleep 0.1; mark-all
client mark-client
END

# Terminals.
try "pace: prompts, a password after a flush, in order" "$work/bin/actor" in-order !in-disorder <<'END'
time 5000
arg ask
stdin pty pace=50
stdout pty
|one
|two
|three
END

# The end.
try "the time limit is for all, and nobody is left" /bin/bash clean !dirty <<'END'
time 400
arg -c
arg exec 3<>/dev/tcp/127.0.0.1/7; (setsid sleep 60 &); sleep 60
before [ $(cat /proc/[0-9]*/comm | grep -cx sleep) = 0 ] && mark-clean || mark-dirty
before sleep 60 & (setsid sleep 60 &)
serve tcp:7 trap '' TERM; sleep 60 & sleep 60
client sleep 60
END
quick "the time limit" 1200
is "no process is left" 0 "$(pgrep -c -f "^$work/bin|[ =]$work/bin")"

# Exact: strace sees the same, and so does a campaign's forkserver. What is sent comes from a file, whose
# end is there at once: with a pipe either side may be the first to say goodbye.
scenario >"$work/seeds/serve.scn" <<'END'
time 3000
arg -c
arg exec 3<>/dev/tcp/127.0.0.1/7; read -u 3 a; [[ $a = one ]] && mark-served; actor unix sock
before echo one >state; mark-before
serve tcp:7 cat state
serve unix:sock read a && echo $a
END
scenario >"$work/seeds/inet.scn" <<'END'
time 3000
arg -c
arg read a; echo $a
stdin inet
stdout inet
file line
|x
client sysreach-peer tcp 127.0.0.1 22 <line | cat && mark-client
END
scenario >"$work/seeds/daemon.scn" <<'END'
time 3000
arg -c
arg exec actor daemon 2222
file line
|x
client sysreach-peer tcp 127.0.0.1 2222 <line | cat && mark-client
END
python3 tests/integration/peers_exact.py strace "$work/seeds/serve.scn" >"$work/out" 2>&1
status=$?
is "as strace saw it: $(tail -n 1 "$work/out")" 0 $status
[[ $status -eq 0 ]] || cat "$work/out"
for s in serve inet daemon; do
    mkdir "$work/sets"
    for _ in {1..30}; do
        # Images stand in the order of their first calls, which may differ.
        "$SYSREACH" replay --program /bin/bash "$work/seeds/$s.scn" | sort >"$work/set"
        mv "$work/set" "$work/sets/$(md5sum <"$work/set" | cut -c1-12)"
    done
    sets=("$work"/sets/*)
    is "$s: 30 runs in a row give one set" 1 ${#sets[@]}
    [[ ${#sets[@]} -eq 1 ]] || diff "${sets[@]:0:2}"
    rm -r "$work/sets"
done
"$SYSREACH" fuzz -t 4s -i "$work/seeds" -o "$work/campaign" -- /bin/bash >"$work/out" 2>"$work/err" </dev/null
is "campaign: exit status" 0 $?
python3 tests/integration/peers_exact.py campaign "$work/campaign" >"$work/out" 2>&1
status=$?
is "the forkserver makes what replays make: $(tail -n 1 "$work/out")" 0 $status
[[ $status -eq 0 ]] || cat "$work/out"

summary
