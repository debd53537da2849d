#!/bin/bash
# Fuzzes the parsers of files that others write (scenario, set files, union, ELF objects and their bound) with AFL++,
# built with AddressSanitizer and UndefinedBehaviorSanitizer. A crash or a hang is a failure.
#
#     tests/fuzz/parsers.sh SECONDS [PARSER...]
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
MAKE=${MAKE:-make}
B=${B:-build}
out=$B/parsers
[[ $out = /* ]] || out=$PWD/$out
mkdir -p "$out"
parsers=("$@")
if [[ ${#parsers[@]} -eq 0 ]]; then
    for f in tests/fuzz/fuzz_*.c; do f=${f##*/fuzz_}; parsers+=("${f%.c}"); done
fi
programs=()
for p in "${parsers[@]}"; do programs+=("$out/fuzz/fuzz_$p"); done
export AFL_QUIET=1 AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1
export AFL_NO_AFFINITY=1 ASAN_OPTIONS=abort_on_error=1:symbolize=0:detect_leaks=0
export UBSAN_OPTIONS=abort_on_error=1:halt_on_error=1
$MAKE --no-print-directory -j"$(nproc)" CC=afl-clang-fast B="$out" EXTRA="-fno-sanitize-recover=all" \
    CFLAGS="-O1 -g -fsanitize=address,undefined" "${programs[@]}" >"$out.log" 2>&1 ||
    { tail -n 20 "$out.log"; exit 1; }

# Small objects of each kind: position-independent or not, static, versions, DT_RELR, exceptions.
elf_seeds() { # FOLDER
    local c='int n; void f(void) { n++; } static void *pick(void) { return f; }
        void g(void) __attribute__((ifunc("pick"))); void (*table[2])(void) = {f, g};
        __attribute__((constructor)) static void begin(void) { n = 1; }
        int main(void) { table[1](); return 0; }'
    local cxx='struct A {}; struct B { int x; }; void f() noexcept(false); int g() {
        try { f(); } catch (A &) { return 1; } catch (B *) { return 2; } catch (...) {} return 0; }
        void h() { try { g(); } catch (...) { throw; } }'
    local small=(-O1 '-Wl,-z,noseparate-code' '-Wl,--build-id')
    printf 'V_1 { global: f; };\nV_2 { global: g; } V_1;\n' >"$1.versions"
    gcc -x c "${small[@]}" -s -o "$1/pie" - <<<"$c"
    gcc -x c "${small[@]}" -no-pie -Wl,--hash-style=sysv -o "$1/fixed" - <<<"$c"
    gcc -x c "${small[@]}" -s -static -nostdlib -Wl,-e,main -o "$1/static" - <<<"$c"
    gcc -x c "${small[@]}" -fPIC -shared -Wl,-z,pack-relative-relocs \
        -Wl,--version-script="$1.versions" -o "$1/library" - <<<"$c"
    clang -x c++ "${small[@]}" -fPIC -shared -nostdlib -o "$1/exceptions" - <<<"$cxx"
}

# Small programs without libraries, each a way to a system call or a number.
bound_seeds() { # FOLDER
    local case
    for case in wrapper_struct number_table jump_table pointer_table computed_goto; do
        gcc -w -O1 -nostdlib -fno-pie -static -Wl,-z,noseparate-code -s -o "$1/$case" "tests/bound/$case.c"
        gcc -w -O1 -nostdlib -pie -fPIE -Wl,--no-dynamic-linker -Wl,-z,noseparate-code -s -o "$1/$case-pie" "tests/bound/$case.c"
    done
}

seed() { # PARSER FOLDER: something of each kind to start from
    mkdir -p "$2"
    case $1 in
    scenario) cp seeds/diff/*.scn "$2" ;;
    set)
        printf '# sysreach set 1\n# arch: x86-64\n# image: /bin/a\n# calls: read\nread\n#999\n' >"$2/text"
        echo '[0, 1, "openat"]' >"$2/array"
        echo '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}' >"$2/oci"
        ;;
    elf) elf_seeds "$2" ;;
    bound) bound_seeds "$2" ;;
    *) head -c 256 /dev/zero >"$2/zero" ;;
    esac
}

fuzz() { # PARSER
    local dir=$out/$1 crashes hangs execs
    rm -rf "$dir"
    seed "$1" "$dir/in"
    afl-fuzz -V "$seconds" -m none -t 2000 -i "$dir/in" -o "$dir/out" -- "$out/fuzz/fuzz_$1" @@ \
        >"$dir/log" 2>&1 || { tail -n 15 "$dir/log"; return 1; }
    crashes=$(find "$dir/out" -path '*/crashes/id:*' | wc -l)
    hangs=$(find "$dir/out" -path '*/hangs/id:*' | wc -l)
    execs=$(sed -n 's/^execs_done *: //p' "$dir/out/default/fuzzer_stats")
    echo "parser $1: $execs inputs in $seconds s, $crashes crashes, $hangs hangs"
    [[ $crashes -eq 0 && $hangs -eq 0 && $execs -gt 0 ]]
}

for p in "${parsers[@]}"; do fuzz "$p"; done
