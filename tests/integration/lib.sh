# What the integration tests in shell share: counting checks. Sourced; sets passed and failed.
# shellcheck shell=bash
passed=0 failed=0

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
