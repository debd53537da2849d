#!/bin/bash
# The unit tests and the parsers' fuzz targets under AddressSanitizer and UndefinedBehaviorSanitizer.
# The fuzz targets run over seeds and then FUZZ_SECONDS (default 15) each under AFL++.
set -eu
cd "$(dirname "$0")/.."
MAKE=${MAKE:-make}
B=${B:-build}
out=$B/sanitize
# -O1: frames stay readable. The sanitizers end the program at the first finding.
san="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
export ASAN_OPTIONS=abort_on_error=1:symbolize=1:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1

$MAKE --no-print-directory -j"$(nproc)" unit B="$out" CFLAGS="$san"
echo "sanitize: unit tests clean"
tests/fuzz/parsers.sh "${FUZZ_SECONDS:-15}"
