#!/bin/bash
# harness/deps.sh with stand-ins for dpkg-query, apt-get, sudo and id: what it asks them to do when
# packages are missing, when it may not install them, and when installing does not help.
# usage: tests/integration/deps.sh
# shellcheck disable=SC2317 # the tests are called by name, through check
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
deps=$here/../../harness/deps.sh
box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
failed=0

# The stand-ins note their calls in calls. installed: the names that dpkg-query knows; works: what
# apt-get needs to have been told before an install helps ("now", "updated" or "never").
mkdir "$box/bin"
cat >"$box/bin/dpkg-query" <<'SH'
#!/bin/bash
echo "dpkg-query" >>"$BOX/calls"
for name in "${@:4}"; do
    grep -qx -- "$name" "$BOX/installed" && echo "$name installed"
done
# A package that was removed but not purged is known and not there.
for name in "${@:4}"; do
    [ "$name" != leftover ] || echo "leftover config-files"
done
exit 1
SH
cat >"$box/bin/apt-get" <<'SH'
#!/bin/bash
echo "apt-get ${*:4}" >>"$BOX/calls"
echo "noise of apt-get"
case $4 in
    update)
        [ "$(cat "$BOX/works")" != updated ] || echo now >"$BOX/works"
        ;;
    install)
        [ "$(cat "$BOX/works")" = now ] || exit 100
        shift 6
        printf '%s\n' "$@" >>"$BOX/installed"
        ;;
esac
SH
cat >"$box/bin/sudo" <<'SH'
#!/bin/bash
echo "sudo $*" >>"$BOX/calls"
[ -e "$BOX/sudo-asks" ] && exit 1
[ "$1" = -n ] && shift
exec "$@"
SH
cat >"$box/bin/id" <<'SH'
#!/bin/bash
cat "$BOX/uid"
SH
chmod +x "$box"/bin/*
for tool in env bash grep cat true; do
    ln -s "$(type -P "$tool")" "$box/bin/$tool"
done

# begin UID WORKS: all of the group is there, but for what the test takes away again.
begin() {
    rm -f "$box"/calls "$box"/sudo-asks
    touch "$box/calls"
    echo "$1" >"$box/uid"
    echo "$2" >"$box/works"
    printf '%s\n' "${everything[@]}" >"$box/installed"
}
take_away() {
    grep -vx -e "$1" -e "${2:-$1}" "$box/installed" >"$box/rest"
    mv "$box/rest" "$box/installed"
}
# run STATUS ARGS...: stdout must stay empty, it is for results.
run() {
    local want=$1 got=0
    shift
    env -i PATH="${path:-$box/bin}" BOX="$box" bash "$deps" "$@" >"$box/out" 2>"$box/err" || got=$?
    [ "$got" -eq "$want" ] || wrong "status $got instead of $want: $(cat "$box/err")"
    [ ! -s "$box/out" ] || wrong "stdout has: $(cat "$box/out")"
}
wrong() {
    echo "    $*" >&2
    bad=1
}
says() { grep -qF -- "$1" "$box/err" || wrong "no '$1' in: $(cat "$box/err")"; }
called() { grep -q -- "$1" "$box/calls" || wrong "no '$1' among the calls: $(cat "$box/calls")"; }
not_called() { ! grep -q -- "$1" "$box/calls" || wrong "unwanted: $(cat "$box/calls")"; }
check() {
    bad=0
    "$1"
    if [ "$bad" -eq 0 ]; then
        echo "ok deps/$1"
    else
        echo "not ok deps/$1"
        failed=1
    fi
}

# What the build group consists of, as the script names it where nothing is installed.
everything=()
begin 1000 never
mv "$box/bin/sudo" "$box/bin/sudo.off"
run 3 build
mv "$box/bin/sudo.off" "$box/bin/sudo"
read -r -a everything < <(sed -n 's/.*needs root: //p' "$box/err")

names_the_group() {
    local name
    for name in gcc make afl++ bubblewrap libseccomp-dev libdw-dev libjansson-dev libsqlite3-dev; do
        [[ " ${everything[*]} " = *" $name "* ]] || wrong "$name is not in: ${everything[*]}"
    done
}
silent_when_complete() {
    begin 1000 never
    run 0
    [ ! -s "$box/err" ] || wrong "stderr has: $(cat "$box/err")"
    [ "$(cat "$box/calls")" = dpkg-query ] || wrong "calls: $(cat "$box/calls")"
}
installs_just_the_missing() {
    begin 0 now
    take_away bubblewrap libdw-dev
    run 0 build
    called '^apt-get install -y --no-install-recommends bubblewrap libdw-dev$'
    not_called sudo
}
half_removed_counts_as_missing() {
    begin 0 now
    run 0 build leftover
    called 'install -y --no-install-recommends leftover$'
}
updates_once_when_install_fails() {
    begin 0 updated
    take_away gcc
    run 0 build
    [ "$(grep -c '^apt-get update' "$box/calls")" -eq 1 ] || wrong "calls: $(cat "$box/calls")"
}
says_when_nothing_helps() {
    begin 0 never
    take_away gcc
    run 3 build
    says "could not install gcc"
    says "apt-get update && apt-get install --no-install-recommends gcc"
    [ "$(grep -c '^apt-get update' "$box/calls")" -eq 1 ] || wrong "calls: $(cat "$box/calls")"
}
uses_sudo() {
    begin 1000 now
    take_away make
    run 0 build
    called '^sudo -n env DEBIAN_FRONTEND=noninteractive apt-get .* install .* make$'
}
never_asks_for_a_password() {
    begin 1000 now
    take_away make
    touch "$box/sudo-asks"
    run 3 build
    says "needs root: make"
    says "apt-get update && apt-get install -y --no-install-recommends make"
    not_called '^apt-get'
}
other_systems() {
    begin 0 now
    mkdir -p "$box/other"
    ln -sf "$(type -P bash)" "$box/other/bash"
    path=$box/other run 3 build
    says "no Debian system"
    says libseccomp-dev
}
refuses_what_is_no_package() {
    local name
    begin 0 now
    run 2 everything
    for name in --reinstall /etc/passwd 'a b' 'x;y' ''; do
        run 2 instrument "$name"
    done
    not_called apt-get
}

check names_the_group
check silent_when_complete
check installs_just_the_missing
check half_removed_counts_as_missing
check updates_once_when_install_fails
check says_when_nothing_helps
check uses_sudo
check never_asks_for_a_password
check other_systems
check refuses_what_is_no_package
exit $failed
