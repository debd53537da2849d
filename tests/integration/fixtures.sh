#!/bin/bash
# A target's own scripts: fixtures are made once, shown in the sandbox, and used again by replays and
# --resume; grammar is appended; what fails is said with what to do.
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"
make_work

need_sandbox
fuzz() { "$SYSREACH" fuzz "$@" >"$work/out" 2>"$work/err" </dev/null; }

mkdir "$work/seeds"
cat >"$work/target" <<'END'
program /bin/sh
package dash
needs coreutils no-such-package
setup setup.sh
grammar grammar.sh
bind passwd /etc/passwd
bind name /run/place/name
bind key /root/.ssh/key
bind nowhere /etc/sysreach-nowhere
capability CAP_CHOWN CAP_SYS_ADMIN
base arg -c
END
cat >"$work/setup.sh" <<'END'
cd "$1" || exit 1
env | cut -d= -f1
echo "root:x:0:0:the fixture:/tmp/w:/bin/sh" >passwd
echo fixture >name
echo secret >key
chmod 600 key
echo nothing >nowhere
END
cat >"$work/grammar.sh" <<'END'
echo "option -e $(basename "$1")"
echo "a word" >&2
END
# All is well: a call that sh alone does not make.
printf 'arg %s\n' 'read -r a </run/place/name && read -r b </root/.ssh/key && read -r c </etc/passwd &&
[ "$a $b" = "fixture secret" ] && [ "${c#*the fixture}" != "$c" ] && [ -r /run/fixtures/key ] &&
! true >/run/fixtures/new && exec sleep 0' | tr '\n' ' ' >"$work/seeds/all.scn"

c=$work/campaign
fuzz -t 3s -i "$work/seeds" -o "$c" "$work/target"
is "fuzz: exit status" 0 $?
has "a package that is missing is said" "apt-get install no-such-package" "$work/err"
has "a place that cannot be bound is said" "/etc/sysreach-nowhere: is not there" "$work/err"
if [[ $(id -u) -eq 0 ]]; then
    has "a capability that is never kept is said" "CAP_SYS_ADMIN: cannot be given" "$work/err"
    is "the program keeps the others" "keep 0" "$(grep '^keep' "$c/hook/main.conf")"
else
    is "the program keeps no capability" "keep" "$(grep '^keep' "$c/hook/main.conf")"
fi
is "the set-up script's environment" "PATH PWD" "$(sed -n 's/^\(PATH\|PWD\)$/\1/p' "$c/log/setup.txt" | sort | tr '\n' ' ' | sed 's/ $//')"
is "a key keeps its mode" 600 "$(stat -c %a "$c/fixtures/key")"
is "the grammar is appended" "option -e $(basename "$(readlink -f /bin/sh)")" "$(tail -n 1 "$c/target")"
has "what a script says is kept" "a word" "$c/log/grammar.txt"
is "fuzz: the inputs see the fixtures" yes "$("$SYSREACH" set show --image sleep "$c" | grep -qx exit_group && echo yes)"
"$SYSREACH" replay --image sleep "$c" "$work/seeds/all.scn" exit_group >"$work/out" 2>&1
status=$?
is "replay: so does a replay ($(tail -n 1 "$work/out"))" 0 $status
fuzz -t 2s --resume "$c"
is "resume: exit status" 0 $?
rm -r "$c/fixtures"
fuzz -t 2s --resume "$c"
is "resume without the fixtures: exit status" 3 $?
has "and says so" "fixtures: is missing" "$work/err"

echo 'echo "no such tool" >&2; exit 7' >"$work/setup.sh"
fuzz -t 3s -i "$work/seeds" -o "$work/failed" "$work/target"
is "a set-up script that fails: exit status" 3 $?
has "its words" "no such tool" "$work/err"
has "its status, and the packages" "failed with status 7, see above; packages that it may need: dash coreutils" "$work/err"
is "and nothing is left" no "$([[ -e $work/failed ]] && echo yes || echo no)"

sed -i '/^setup\|^bind/d' "$work/target"
echo 'echo nonsense' >"$work/grammar.sh"
fuzz -t 3s -i "$work/seeds" -o "$work/failed" "$work/target"
is "grammar that is none: exit status" 3 $?
has "is said" "grammar script printed is wrong" "$work/err"

summary
