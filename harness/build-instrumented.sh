#!/bin/bash
# Builds an instrumented copy of an installed Debian program: the source of exactly the installed
# version, compiled with afl-clang-fast.
#
#   build-instrumented.sh [-d "PACKAGE..."] [-b LINES] PACKAGE PROGRAM BUILT CACHE
#
# PACKAGE is the installed package that PROGRAM (an absolute path) belongs to, BUILT where the build
# leaves the program in the source tree, CACHE a folder for results. -d: packages that the build
# needs; where they are missing, those named *-dev are unpacked below CACHE for the time of the build,
# and others (tools) installed. -b: lines for bash that prepare the source tree for make instead of
# ./configure; CC, CFLAGS, CPPFLAGS, LDFLAGS and SOURCE_VERSION are set.
# Prints the path of the built program: CACHE/SOURCE-VERSION/NAME/NAME, with build.txt beside it.
# A finished build is used again, and the other programs that it made are kept for their targets.
# Apart from -d's tools nothing of the system is changed: apt works on lists and sources of its own
# below CACHE. Progress goes to stderr.
# Status: 0 built, 2 bad arguments, 3 it cannot be built here.
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8
# The caller's settings of compilers would make it another program.
unset "${!AFL_@}" "${!CONFIG_@}" CFLAGS CPPFLAGS LDFLAGS MAKEFLAGS CXX

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

say() { printf 'sysreach: instrumented build: %s\n' "$*" >&2; }
die() {
    local status=$1
    shift
    say "$@"
    exit "$status"
}
sha256_of() { sha256sum -- "$1" | cut -d ' ' -f 1; }

depends=()
lines=
while getopts d:b: option; do
    case $option in
        d) read -r -a depends <<<"$OPTARG" ;;
        b) lines=$OPTARG ;;
        *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -eq 4 ] || die 2 "needs PACKAGE PROGRAM BUILT CACHE"
package=$1 program=$2 built=$3 cache=$4
name=${program##*/}
[[ $package =~ ^[a-z0-9][a-z0-9+.-]*$ ]] || die 2 "'$package' is no package name"
[[ $program = /* && -n $name ]] || die 2 "'$program' is no absolute path of a program"
[[ $built != /* && /$built/ != */../* ]] || die 2 "'$built' does not lie in the source tree"

# ---- which version ------------------------------------------------------------------------------

command -v dpkg-query >/dev/null ||
    die 3 "this is no Debian system; use the stock binary (leave out --instrumented)"

# A merged /usr has two names for a file, and dpkg knows just one of them.
owns_program() {
    # No grep -q: it would end before dpkg-query and the pipe would fail.
    dpkg-query -L "$package" 2>/dev/null |
        grep -xF -e "$program" -e "${program#/usr}" -e "/usr$program" >/dev/null
}

# shellcheck disable=SC2016 # the ${} are dpkg-query's
read -r status source version < <(
    dpkg-query -W -f '${db:Status-Status} ${source:Package} ${source:Version}\n' "$package" \
        2>/dev/null || true
) || true
[ "${status:-}" = installed ] ||
    die 3 "package $package is not installed; as root: apt-get install $package"
owns_program ||
    die 2 "$program does not belong to package $package; dpkg -S $program says to which it does"
[ -x "$program" ] || die 3 "$program is missing; as root: apt-get install --reinstall $package"

# shellcheck disable=SC2016
is_installed() { dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -x installed >/dev/null; }
# Installing a library's headers would upgrade the library itself, below the program under study.
headers=() tools=()
for one in "${depends[@]}"; do
    [[ $one =~ ^[a-z0-9][a-z0-9+.-]*$ ]] || die 2 "'$one' is no package name"
    case $one in
        *-dev) is_installed "$one" || headers+=("$one") ;;
        *) tools+=("$one") ;;
    esac
done
"$here/deps.sh" instrument "${tools[@]}"

# ---- is it there already ------------------------------------------------------------------------

mkdir -p -- "$cache" 2>/dev/null || die 3 "cannot make the folder $cache; set XDG_CACHE_HOME"
cache=$(cd -- "$cache" && pwd)
[ -w "$cache" ] || die 3 "cannot write to $cache; set XDG_CACHE_HOME"
results=$cache/$source-${version//:/_}
result=$results/$name
compiler=$(AFL_QUIET=1 afl-clang-fast --version 2>/dev/null | sed -n 1p) ||
    die 3 "afl-clang-fast does not run; as root: apt-get install --reinstall afl++ clang"
# shellcheck disable=SC2016
compiler="afl++ $(dpkg-query -W -f '${Version}' afl++), $compiler"
recipe=$({ cat -- "${BASH_SOURCE[0]}" && printf '%s' "$lines"; } | sha256sum | cut -d ' ' -f 1)

field() { sed -n "s/^$1 //p" "$result/build.txt"; }
is_ready() {
    [ -x "$result/$name" ] && [ -r "$result/build.txt" ] &&
        [ "$(field recipe)" = "$recipe" ] && [ "$(field compiler)" = "$compiler" ] &&
        [ "$(field built)" = "$built" ] && [ "$(field sha256)" = "$(sha256_of "$result/$name")" ]
}
finish() {
    printf '%s\n' "$result/$name"
    exit 0
}

is_ready && finish
mkdir -p -- "$results"
# One for all programs of a source: whoever waits finds its own program made as well.
exec 9>"$results/lock"
if ! flock -n 9; then
    say "waiting for another build of $source"
    flock 9
    is_ready && finish
fi

work=$result.work
log=$result.log
rm -rf -- "$work" # of a build that was killed
mkdir -- "$work"
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT TERM HUP
: >"$log"

fail() {
    say "$1; the log, $log, ends with:"
    tail -n 20 -- "$log" | sed 's/^/    /' >&2
    [ -z "${2:-}" ] || say "$2"
    exit 3
}

# ---- the source ---------------------------------------------------------------------------------

# What the machine's own apt configuration says, with deb-src instead of deb. Keys and options stay.
# Compact discs would have to be put in.
sources_of_list() {
    sed -nE 's/^[[:space:]]*deb(-src)?[[:space:]]+/deb-src /p' "$1" | grep -v 'cdrom:' || true
}
sources_of_deb822() {
    awk '
        function flush() {
            if (wanted && !off)
                print text
            text = ""
            wanted = off = 0
        }
        /^[[:space:]]*$/ { flush(); next }
        /^#/ { next }
        tolower($0) ~ /^types:.*deb/ { wanted = 1; text = text "Types: deb-src\n"; next }
        tolower($0) ~ /^enabled:[[:space:]]*(no|false|off|0|without|disable)/ { off = 1 }
        /cdrom:/ { off = 1 }
        { text = text $0 "\n" }
        END { flush() }' "$1"
}

configure_apt() {
    local from file
    local dir=$cache/apt parts=/etc/apt/sources.list.d list=/etc/apt/sources.list

    # The machine may have moved them.
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    mkdir -p "$dir/lists/partial" "$dir/archives/partial" "$work/sources.d"
    for from in "$list" "$parts"/*.list "$parts"/*.sources; do
        if [ ! -f "$from" ] || [ ! -r "$from" ]; then
            continue
        fi
        file=$work/sources.d/${from##*/}
        case $from in
            *.sources) sources_of_deb822 "$from" >"$file" ;;
            *) sources_of_list "$from" >"$file" ;;
        esac
        [ -s "$file" ] || rm -f "$file"
    done
    compgen -G "$work/sources.d/*" >/dev/null ||
        die 3 "no package source is configured below /etc/apt, so there is none to get $source from"
    # The hooks of the machine's configuration belong to its own lists, which stay as they are.
    cat >"$work/apt.conf" <<CONF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$work/sources.d";
Dir::State::lists "$dir/lists";
Dir::Cache "$dir";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
CONF
}

fetch_source() {
    local there

    say "fetching the source of $source $version"
    configure_apt
    # Two builds at a time may share the lists: apt locks them and would give up at once.
    exec 8>"$cache/apt/lock"
    flock 8
    # Entries of third parties often have no sources; what counts is whether ours is found.
    apt-get -q -c "$work/apt.conf" update >>"$log" 2>&1 </dev/null || true
    there=$(apt-cache -c "$work/apt.conf" showsrc --only-source "$source" 2>>"$log" |
        sed -n 's/^Version: //p' | sort -u | tr '\n' ' ') || true
    if [[ " $there" != *" $version "* ]]; then
        [ -n "$there" ] ||
            fail "no configured package source has the source of $source" \
                "is the network reachable, and the archive of $package in /etc/apt?"
        die 3 "$source $version is installed, but the archive has only: ${there% };" \
            "as root: apt-get update && apt-get install --only-upgrade $package"
    fi
    mkdir "$work/download"
    (cd "$work/download" &&
        apt-get -q -c "$work/apt.conf" --only-source --download-only source "$source=$version" \
            >>"$log" 2>&1 </dev/null) || fail "cannot fetch the source of $source $version"
    flock -u 8
    # apt has checked what it fetched against the archive's signature; the packager's own key is
    # usually not at hand.
    dpkg-source --no-copy -x "$work"/download/*.dsc "$work/source" >>"$log" 2>&1 ||
        fail "cannot unpack the source of $source $version"
    # One time for all files: make then regenerates nothing that the package ships ready-made, which
    # would need autoconf, help2man and the like.
    find "$work/source" -type f -exec touch -h -d @1700000000 {} +
}

# Headers and links of libraries into $work/root; the libraries are the machine's own.
unpack_headers() {
    local deb link soname

    [ ${#headers[@]} -gt 0 ] || return 0
    say "fetching for the build alone: ${headers[*]}"
    mkdir "$work/debs" "$work/root"
    (cd "$work/debs" && apt-get -q -o APT::Sandbox::User=root download "${headers[@]}") \
        >>"$log" 2>&1 </dev/null ||
        fail "cannot fetch ${headers[*]}" "as root: apt-get update; or apt-get install ${headers[*]}"
    for deb in "$work"/debs/*.deb; do
        dpkg-deb -x "$deb" "$work/root" >>"$log" 2>&1 || fail "cannot unpack ${deb##*/}"
    done
    while IFS= read -r link; do
        soname=${link##*/}
        soname=$(/sbin/ldconfig -p |
            awk -v start="$soname." 'index($1, start) == 1 && !found { print $NF; found = 1 }')
        [ -z "$soname" ] || ln -sf -- "$soname" "$link"
    done < <(find "$work/root" -xtype l -name '*.so')
}

# ---- the build ----------------------------------------------------------------------------------

# configure's arguments: where Debian's programs look for their files.
configure_args=(--prefix=/usr --sysconfdir=/etc --localstatedir=/var --libexecdir=/usr/libexec
    --disable-dependency-tracking --disable-silent-rules)

run_build() {
    local flags root=$work/root libs

    # afl-clang-fast defines a macro by which some programs become others; ours shall be the stock one.
    echo '#undef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION' >"$work/same-program.h"
    flags=$(cd "$work/source" && dpkg-buildflags --export=sh)
    mkdir "$work/tmp"
    (
        eval "$flags"
        export CC=afl-clang-fast CPPFLAGS="$CPPFLAGS -include $work/same-program.h"
        export AFL_QUIET=1 AFL_DONT_OPTIMIZE=1 # else it puts -O3 after Debian's -O2
        export TMPDIR=$work/tmp HOME=$work SOURCE_VERSION=$version
        if [ -d "$root" ]; then
            libs=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
            CPPFLAGS+=" -isystem $root/usr/include"
            LDFLAGS+=" -L$root/$libs"
            export PKG_CONFIG_PATH=$root/$libs/pkgconfig:$root/usr/share/pkgconfig
        fi
        cd "$work/source"
        set -x
        if [ -n "$lines" ]; then
            bash -euc "$lines"
        else
            ./configure "${configure_args[@]}"
        fi
        make -j "$(nproc)" MAKEINFO=true HELP2MAN=true
    ) >>"$log" 2>&1 </dev/null
}

begin=$SECONDS
fetch_source
unpack_headers
[ -n "$lines" ] || [ -x "$work/source/configure" ] ||
    die 3 "$source has no ./configure; its target needs build lines of its own"
say "building $source $version with afl-clang-fast, about a minute or two; log: $log"
# Not as a condition: there, set -e would not end the subshell at its first failing command.
set +e
(set -e; run_build)
build_status=$?
set -e
if [ "$build_status" -ne 0 ]; then
    unmet=$(cd "$work/source" && dpkg-checkbuilddeps 2>&1 | sed 's/.*dependencies: //') || true
    fail "building $source $version failed" \
        "${unmet:+Debian builds it with these, which are not installed: $unmet}"
fi

is_instrumented() { nm -D -- "$1" 2>>"$log" | grep ' __afl_area_ptr$' >/dev/null; }

from=$work/source/$built
if [ ! -f "$from" ] || [ ! -x "$from" ]; then
    fail "the build of $source left no program at $built"
fi
is_instrumented "$from" ||
    fail "$built of $source is not an instrumented ELF program"

# ---- the result ---------------------------------------------------------------------------------

# What the build left at PATH of the tree becomes $results/NAME; an older build under this name
# (another compiler, another recipe) makes room.
keep() {
    local path=$1 as=$2 new=$work/result/$2

    mkdir -p "$new"
    cp -- "$work/source/$path" "$new/$as"
    cat >"$new/build.txt" <<TXT
source $source
version $version
built $path
sha256 $(sha256_of "$new/$as")
dsc_sha256 $(sha256_of "$work"/download/*.dsc)
compiler $compiler
recipe $recipe
prepared $(printf '%s' "${lines:-./configure ${configure_args[*]}}" | tr '\n' ';')
flags $(cd "$work/source" && dpkg-buildflags --get CFLAGS | sed "s,$work,.,g") $(dpkg-buildflags --get CPPFLAGS) $(dpkg-buildflags --get LDFLAGS)
seconds $((SECONDS - begin))
TXT
    [ ! -e "$results/$as" ] || mv -- "$results/$as" "$work/old-$as"
    mv -T -- "$new" "$results/$as"
}

# The other programs of the source, for targets with the same build lines.
keep_others() {
    local file as

    while IFS= read -r -d '' file; do
        as=${file##*/}
        if [ "$as" != "$name" ] && [ ! -e "$results/$as" ] && is_instrumented "$file"; then
            keep "${file#"$work/source/"}" "$as"
        fi
    done < <(find "$work/source" -type f -perm -u+x -size +16k -print0)
}

keep "$built" "$name"
keep_others
say "built $name in $((SECONDS - begin)) s"
finish
