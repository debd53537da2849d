#!/bin/sh
# Builds every tiny program of this folder, and the modules that they load, into OUTDIR.
# usage: tests/programs/build.sh OUTDIR
set -eu

[ $# -eq 1 ] || { echo "usage: $0 OUTDIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
flags="-std=gnu11 -O1 -g -D_GNU_SOURCE -Wall -Wextra -Wshadow -Wconversion"

for source in "$here"/*.c; do
    name=$(basename "$source" .c)
    # A file that is up to date stays, so that a second call costs nothing.
    case $name in
    module_*) target=$out/$name.so kind="-shared -fPIC" ;;
    *) target=$out/$name kind="-pthread" ;;
    esac
    if [ -e "$target" ] && [ -z "$(find "$source" "$here/hidden.h" "$0" -newer "$target")" ]; then
        continue
    fi
    # shellcheck disable=SC2086
    ${CC:-gcc} $flags $kind -DMODULES="\"$out\"" -o "$target" "$source" -ldl
done
