#!/bin/bash
# Installs the Debian packages that sysreach needs and that are not there yet.
#
#   deps.sh [build|test|instrument|ssh] [PACKAGE...]
#
# build: to make and run sysreach. test: that, and what `make check` runs. instrument: to build an
# instrumented copy of a target. ssh: what the scenarios of the targets ssh and sshd use. PACKAGEs are
# added to the group, a target's own needs for instance.
# Says nothing when nothing is missing. As root or with a sudo that asks nothing it installs;
# otherwise it says what to install and ends with status 3.
set -euo pipefail

build="gcc libc6-dev make pkg-config afl++ bubblewrap git
    libseccomp-dev libelf-dev libdw-dev libjansson-dev libsqlite3-dev libzydis-dev"
ssh="openssh-client openssh-server openssh-sftp-server openssl xauth libp11-kit0"
test="$build g++ musl-tools clang clang-format clang-tidy cppcheck shellcheck groff-base
    libcmocka-dev libclang-rt-dev strace python3 binutils
    bzip2 libc6-dbg patch xz-utils $ssh"
instrument="afl++ clang dpkg-dev make patch xz-utils binutils"

say() { printf 'sysreach: %s\n' "$*" >&2; }

group=${1:-build}
[ $# -gt 0 ] && shift
case $group in
    build) wanted=$build ;;
    test) wanted=$test ;;
    instrument) wanted=$instrument ;;
    ssh) wanted=$ssh ;;
    *)
        say "deps.sh: no group '$group'; there are build, test, instrument and ssh"
        exit 2
        ;;
esac
for extra in "$@"; do
    # What looks like an option, or a path, would mean something else to apt-get.
    if [[ ! $extra =~ ^[a-z0-9][a-z0-9+.-]*$ ]]; then
        say "deps.sh: '$extra' is no package name"
        exit 2
    fi
    wanted+=" $extra"
done
read -r -d '' -a wanted <<<"$wanted" || true

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "packages: this is no Debian system; install what Debian 12 calls: ${wanted[*]}"
    say "then 'make build' builds without this check"
    exit 3
fi

find_missing() {
    local name status
    declare -A there=()

    # One call for all: a name that dpkg does not know makes it fail, but the others are listed.
    # shellcheck disable=SC2016 # the ${} are dpkg-query's
    while read -r name status; do
        [ "$status" = installed ] && there[$name]=1
    done < <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null)
    missing=()
    for name in "${wanted[@]}"; do
        [ -n "${there[$name]:-}" ] || missing+=("$name")
    done
}

find_missing
[ ${#missing[@]} -gt 0 ] || exit 0

install="apt-get install -y --no-install-recommends ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
        say "packages: these are missing, and installing them needs root: ${missing[*]}"
        say "as root: apt-get update && $install"
        exit 3
    fi
    as_root=(sudo -n)
fi

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 \
        "$@" </dev/null >&2
}

say "packages: installing ${missing[*]}"
updated=
# A fresh image has no package lists; where there are some they may be too old for the archive.
if ! compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null; then
    apt update || true
    updated=1
fi
wants_server=
[[ " ${missing[*]} " == *" openssh-server "* ]] && wants_server=1
if ! apt install -y --no-install-recommends "${missing[@]}"; then
    if [ -z "$updated" ]; then
        apt update || true
        apt install -y --no-install-recommends "${missing[@]}" || true
    fi
fi
find_missing
if [ ${#missing[@]} -gt 0 ]; then
    say "packages: apt-get could not install ${missing[*]}; its own messages are above"
    say "as root: apt-get update && apt-get install --no-install-recommends ${missing[*]}"
    exit 3
fi
# The package's own service is of no use here, and a machine may not want it.
if [ -n "$wants_server" ] && [ -d /run/systemd/system ]; then
    say "packages: openssh-server may have started a service of its own; without need of it:"
    say "as root: systemctl disable --now ssh"
fi
