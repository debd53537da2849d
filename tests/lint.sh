#!/bin/bash
# Style and static analysis: clang-format, compiler warnings as errors, clang-tidy, cppcheck, manual
# pages, and shellcheck for the scripts. Any finding is a failure.
set -u
cd "$(dirname "$0")/.." || exit 2
B=${B:-build}
failed=0
mapfile -t sources < <(git ls-files '*.c' 2>/dev/null || find harness tracer tests -name '*.c')
mapfile -t headers < <(git ls-files '*.h' 2>/dev/null || find include harness tracer tests -name '*.h')
mapfile -t scripts < <(git ls-files '*.sh' .ci/run 2>/dev/null || find . -name '*.sh')
read -ra packages < <(pkg-config --cflags libseccomp libelf libdw jansson sqlite3)
flags=(-std=gnu11 -Iinclude -Itracer -Iharness -D_GNU_SOURCE "${packages[@]}")

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@"; then echo "lint: $name: nothing found"; else
        echo "lint: $name: see above"
        failed=1
    fi
}

warnings() {
    make --no-print-directory -j"$(nproc)" build B="$B/lint" EXTRA=-Werror >"$B/lint.log" 2>&1 ||
        { grep -E 'error|warning' "$B/lint.log"; return 1; }
}

tidy() {
    mapfile -t ours < <(printf '%s\n' "${sources[@]}" | grep -Ev '^tests/(programs|bound)/')
    printf '%s\n' "${ours[@]}" |
        xargs -P "$(nproc)" -I{} clang-tidy --quiet --warnings-as-errors='*' {} -- "${flags[@]}" \
            >"$B/tidy.log" 2>"$B/tidy.err" ||
        { grep -E 'warning:|error:' "$B/tidy.log" || tail -5 "$B/tidy.err"; return 1; }
}

mkdir -p "$B"
check clang-format clang-format --dry-run --Werror "${sources[@]}" "${headers[@]}"
check "compiler warnings" warnings
check clang-tidy tidy
check cppcheck cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j "$(nproc)" \
    --enable=warning,performance,portability --suppress=missingIncludeSystem \
    --suppress=unusedFunction -Iinclude -Itracer -Iharness harness tracer
check shellcheck shellcheck -x -S warning "${scripts[@]}"
check "manual pages" bash -c 'for page in docs/man/*; do
    out=$(groff -man -ww -Tutf8 -z "$page" 2>&1)
    [[ -z $out ]] || { echo "$page: $out"; exit 1; }; done'
exit $failed
