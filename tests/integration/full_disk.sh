#!/bin/bash
# A campaign on a file system that is too small, and one that fills up while it runs. Needs a mount of its
# own: a user namespace for an ordinary user.
set -u
cd "$(dirname "$0")/../.." || exit 2
SYSREACH=${SYSREACH:-$PWD/build/sysreach}

inside() {
    local dir=$1 status
    mount -t tmpfs -o size=512k tmpfs "$dir" || return 77
    "$SYSREACH" fuzz -t 5s -o "$dir/c" diff >"$dir.out" 2>&1
    status=$?
    [[ $status -eq 3 ]] || { cat "$dir.out"; echo "no room at the start: exit status $status, expected 3"; return 1; }
    grep -qiE 'space|full' "$dir.out" || { cat "$dir.out"; echo "no room at the start: not said"; return 1; }
    umount "$dir"
    mount -t tmpfs -o size=48m tmpfs "$dir" || return 77
    "$SYSREACH" fuzz -t 12s -o "$dir/c" diff >"$dir.out" 2>&1 &
    local pid=$!
    for _ in {1..150}; do
        [[ $("$SYSREACH" status --json "$dir/c" 2>/dev/null | grep -c '"inputs": [1-9]') -gt 0 ]] && break
        sleep 0.1
    done
    head -c 100m /dev/zero >"$dir/filler" 2>/dev/null
    sleep 3
    local flagged
    flagged=$(grep -c '^+' "$dir.out")
    rm -f "$dir/filler"
    wait $pid
    status=$?
    [[ $status -eq 0 || $status -eq 3 ]] || { cat "$dir.out"; echo "a disk that fills up: exit status $status"; return 1; }
    grep -qiE 'space|full' "$dir.out" || { cat "$dir.out"; echo "a disk that fills up: not said"; return 1; }
    "$SYSREACH" report "$dir/c" >"$dir.report" || { echo "a disk that fills up: no report"; return 1; }
    "$SYSREACH" fuzz -t 3s --resume "$dir/c" >"$dir.out" 2>&1 ||
        { cat "$dir.out"; echo "a disk that fills up: no resume"; return 1; }
    echo "no room at the start is said; $flagged calls flagged by the time the disk was full, reported and resumed"
}

if [[ ${1:-} == --inside ]]; then
    inside "$2"
    exit
fi
work=$(mktemp -d) || exit 2
mkdir "$work/disk"
if [[ $(id -u) -eq 0 ]]; then
    unshare -m -- "$0" --inside "$work/disk"
else
    unshare -Urm -- "$0" --inside "$work/disk"
fi
status=$?
rm -rf "$work"
exit $status
