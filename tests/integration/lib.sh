# What the integration tests in shell share: where they run, a work folder, counting checks. Sourced;
# sets SYSREACH, passed and failed, and goes to the project's folder.
# shellcheck shell=bash
passed=0 failed=0
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
export SYSREACH=${SYSREACH:-$PWD/build/sysreach}

# Makes the folder $work, which goes when the test ends. VISIBLE: not below /tmp, which programs in the
# sandbox have for themselves.
make_work() { # [VISIBLE]
    if [[ ${1-} ]]; then
        work=$(mktemp -d "/var/tmp/sysreach-test-XXXXXX") || exit 2
    else
        work=$(mktemp -d) || exit 2
    fi
    trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
}

need_sandbox() {
    bwrap --unshare-pid --ro-bind / / true 2>"$work/why" && return
    echo "no sandbox here: $(cat "$work/why")"
    exit 77
}

is() { # NAME EXPECTED ACTUAL
    if [[ $2 == "$3" ]]; then
        echo "ok $1"
        passed=$((passed + 1))
    else
        echo "not ok $1: expected '$2', got '$3'"
        failed=$((failed + 1))
    fi
}

has() { # NAME TEXT FILE
    if grep -qF -- "$2" "$3"; then is "$1" yes yes; else is "$1" "$2" "$(head -c 600 "$3")"; fi
}

summary() {
    echo "$passed passed, $failed failed"
    [[ $failed -eq 0 ]]
}
