#!/bin/bash
# harness/build-instrumented.sh: first with stand-ins for apt, which show what lists of sources it
# makes and what it says when the wanted version is not there; then for real, over the network: as an
# ordinary user with a small build of its own, and diff as a campaign would have it.
# usage: tests/integration/instrument.sh
# MUST_WORK=1: what cannot be run here is a failure.
# OPENSSH=1: builds ssh and sshd too, which takes some minutes, and compares them with the stock ones.
# shellcheck disable=SC2317 # the tests are called by name, through check
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
harness=$here/../../harness
box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
chmod 755 "$box"
failed=0

wrong() {
    echo "    $*" >&2
    bad=1
}
# run STATUS COMMAND...: its output in $box/out and $box/err.
run() {
    local want=$1 got=0
    shift
    "$@" >"$box/out" 2>"$box/err" </dev/null || got=$?
    [ "$got" -eq "$want" ] || wrong "status $got instead of $want: $(tail -n 30 "$box/err")"
}
says() { grep -qF -- "$1" "$box/err" || wrong "no '$1' in: $(tail -n 30 "$box/err")"; }
has() { grep -qxF -- "$2" "$1" || wrong "no line '$2' in $1: $(cat "$1")"; }
check() {
    bad=0
    "$1"
    if [ "$bad" -eq 0 ]; then
        echo "ok instrument/$1"
    else
        echo "not ok instrument/$1"
        failed=1
    fi
}
skip() {
    echo "instrument: skipped: $*" >&2
    [ "${MUST_WORK:-0}" != 1 ] || exit 1
    exit "$failed"
}

# Not deps.sh's business here: the stand-in of apt-get installs nothing.
"$harness/deps.sh" instrument || skip "packages are missing"
build=$harness/build-instrumented.sh
version=$(dpkg-query -W -f '${source:Version}' diffutils)

# ---- with stand-ins for apt ---------------------------------------------------------------------

mkdir -p "$box/bin" "$box/etc/sources.list.d"
cat >"$box/bin/apt-config" <<'SH'
#!/bin/bash
echo "list='$BOX/etc/sources.list'; parts='$BOX/etc/sources.list.d/'"
SH
cat >"$box/bin/apt-get" <<'SH'
#!/bin/bash
cp -r "$(sed -n 's/^Dir::Etc::sourceparts "\(.*\)";/\1/p' "$3")" "$BOX/seen"
cp "$3" "$BOX/seen.conf"
exit 100
SH
cat >"$box/bin/apt-cache" <<'SH'
#!/bin/bash
[ ! -e "$BOX/versions" ] || sed 's/^/Version: /' "$BOX/versions"
SH
chmod +x "$box"/bin/*
cat >"$box/etc/sources.list" <<'LIST'
# deb http://commented.invalid/ stable main
deb cdrom:[Disc]/ bookworm main
deb http://deb.invalid/debian bookworm main
  deb	[arch=amd64 signed-by=/usr/share/keyrings/k.gpg] http://opt.invalid/x stable main contrib
deb-src http://src.invalid/debian bookworm main
LIST
cat >"$box/etc/sources.list.d/one.sources" <<'SOURCES'
# a comment
Types: deb
URIs: http://one.invalid/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----

Enabled: no
Types: deb
URIs: http://off.invalid/debian
Suites: bookworm
Components: main

types: deb deb-src
URIs: http://two.invalid/debian
Suites: stable/
SOURCES
echo 'deb http://ignored.invalid/ x main' >"$box/etc/sources.list.d/old.list.save"

faked() {
    env PATH="$box/bin:$PATH" BOX="$box" "$build" diffutils /usr/bin/diff src/diff "$box/fake"
}
twins_of_all_sources() {
    rm -rf "$box/seen" "$box/fake"
    run 3 faked
    says "no configured package source has the source of diffutils"
    printf '%s\n' 'deb-src http://deb.invalid/debian bookworm main' \
        'deb-src [arch=amd64 signed-by=/usr/share/keyrings/k.gpg] http://opt.invalid/x stable main contrib' \
        'deb-src http://src.invalid/debian bookworm main' |
        cmp - "$box/seen/sources.list" || wrong "$(cat "$box/seen/sources.list")"
    sed -e '/^# /d; /^Enabled/,/^$/d; s/^[Tt]ypes: .*/Types: deb-src/' \
        "$box/etc/sources.list.d/one.sources" >"$box/want"
    echo >>"$box/want" # each entry ends with an empty line
    cmp "$box/want" "$box/seen/one.sources" || wrong "$(cat "$box/seen/one.sources")"
    [ "$(find "$box/seen" -type f | wc -l)" -eq 2 ] || wrong "$(ls "$box/seen")"
}
works_on_lists_of_its_own() {
    has "$box/seen.conf" "Dir::State::lists \"$box/fake/apt/lists\";"
    has "$box/seen.conf" 'Dir::Etc::sourcelist "/dev/null";'
    has "$box/seen.conf" '#clear APT::Update::Post-Invoke;'
    [ -z "$(find "$box/fake" -name '*.work')" ] || wrong "left behind: $(find "$box/fake")"
}
another_version_is_not_taken() {
    printf '0:0.1-1\n%s.1\n' "$version" >"$box/versions"
    run 3 faked
    says "diffutils $version is installed, but the archive has only: "
    says "--only-upgrade diffutils"
    rm "$box/versions"
}
bad_arguments() {
    run 2 "$build" diffutils /usr/bin/diff src/diff
    run 2 "$build" diffutils diff src/diff "$box/c"
    run 2 "$build" diffutils /usr/bin/diff ../diff "$box/c"
    run 2 "$build" --option /usr/bin/diff src/diff "$box/c"
    run 2 "$build" diffutils /usr/bin/env src/diff "$box/c"
    says "/usr/bin/env does not belong to package diffutils"
    run 3 "$build" no-such-package-here /usr/bin/diff src/diff "$box/c"
    says "apt-get install no-such-package-here"
    [ ! -e "$box/c" ] || wrong "something was made for nothing"
}
check twins_of_all_sources
check works_on_lists_of_its_own
check another_version_is_not_taken
check bad_arguments

# ---- for real -----------------------------------------------------------------------------------

# What apt keeps for the system; a run must leave it as it was.
system_state() { { find /etc/apt /var/lib/apt /var/cache/apt -printf '%p %s %T@\n' 2>/dev/null || true; } | sort; }

as_ordinary_user() {
    local user=() program

    # The checkout may lie where only root can read.
    mkdir -p "$box/tools" "$box/user"
    cp "$harness/build-instrumented.sh" "$harness/deps.sh" "$box/tools"
    # Lines that leave a source tree of one file.
    cat >"$box/lines" <<'SH'
test "$(cat debian/source/format)" = "3.0 (quilt)"
printf 'int main(int n, char **v) {\n#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION\n' >one.c
printf '    return 3;\n#endif\n    return n > 1 && *v[1] == 65 ? 1 : 0;\n}\n' >>one.c
rm GNUmakefile
printf 'one: one.c\n\t$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<\n' >Makefile
SH
    chmod -R a+rX "$box/tools"
    chmod 777 "$box/user"
    if [ "$(id -u)" -eq 0 ]; then
        user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    fi
    run 0 "${user[@]}" env HOME=/nonexistent AFL_CC=/nonexistent CFLAGS=--nonsense \
        "$box/tools/build-instrumented.sh" -b "$(cat "$box/lines")" \
        diffutils /usr/bin/diff one "$box/user/cache"
    [ "$bad" -eq 0 ] || return 0
    program=$(cat "$box/out")
    run 0 "$program" a
    run 1 "$program" A
}

diff_for_a_campaign() {
    local program begin=$SECONDS

    system_state >"$box/before"
    run 0 "$build" diffutils /usr/bin/diff src/diff "$box/cache"
    [ "$bad" -eq 0 ] || return 0
    echo "    built in $((SECONDS - begin)) s" >&2
    system_state >"$box/after"
    cmp "$box/before" "$box/after" || wrong "the system's apt files changed"
    program=$(cat "$box/out")
    [ "$program" = "$box/cache/diffutils-${version//:/_}/diff/diff" ] || wrong "path $program"
    has "${program%/*}/build.txt" "version $version"
    has "$box/cache/diffutils-${version//:/_}/cmp/build.txt" "built src/cmp"
    has "${program%/*}/build.txt" "sha256 $(sha256sum <"$program" | cut -d ' ' -f 1)"

    printf 'one\ntwo\n' >"$box/a"
    printf 'one\nthree\n' >"$box/b"
    (cd "$box" && run 1 "$program" -u a b && cp out ours && run 1 /usr/bin/diff -u a b && cmp out ours) ||
        wrong "it prints something else than the stock program"
    "$program" --version | sed -n 1p | grep -qF "$(/usr/bin/diff --version | sed -n 1p)" ||
        wrong "$("$program" --version | sed -n 1p)"
    AFL_QUIET=1 afl-showmap -q -o "$box/map" -- "$program" -u "$box/a" "$box/b" >/dev/null 2>&1 ||
        true # diff's own status is 1
    [ "$(wc -l <"$box/map")" -gt 100 ] || wrong "afl-showmap saw $(wc -l <"$box/map") edges"
}

finished_builds_are_used_again() {
    local program="$box/cache/diffutils-${version//:/_}/diff/diff"

    # No network, no compiler: nothing but the finished build can answer.
    run 0 env PATH="$box/bin:$PATH" BOX="$box" "$build" diffutils /usr/bin/diff src/diff "$box/cache"
    has "$box/out" "$program"
    # Nor is one of its siblings built again.
    run 0 env PATH="$box/bin:$PATH" BOX="$box" "$build" diffutils /usr/bin/cmp src/cmp "$box/cache"
    # A damaged one is no finished build.
    echo >>"$program"
    run 3 env PATH="$box/bin:$PATH" BOX="$box" "$build" diffutils /usr/bin/diff src/diff "$box/cache"
}

same() {
    local what=$1
    shift
    "$1" "${@:3}" >"$box/ours" 2>&1 </dev/null || true
    "$2" "${@:3}" >"$box/stock" 2>&1 </dev/null || true
    cmp "$box/ours" "$box/stock" || wrong "$what differs: $(diff "$box/ours" "$box/stock" | head)"
}
# build_target TARGET: its path in $box/out.
build_target() {
    local file=$harness/targets/$1

    run 0 "$build" -d "$(sed -n 's/^depends //p' "$file")" -b "$(sed -n 's/^build //p' "$file")" -- \
        "$(sed -n 's/^package //p' "$file")" "$(sed -n 's/^program //p' "$file")" \
        "$(sed -n 's/^built //p' "$file")" "$box/cache"
}
openssh_is_the_stock_one() {
    local program query begin

    build_target ssh
    [ "$bad" -eq 0 ] || return 0
    program=$(cat "$box/out")
    same "ssh -V" "$program" /usr/bin/ssh -V
    same "ssh -G" "$program" /usr/bin/ssh -F none -G x
    for query in cipher cipher-auth mac kex kex-gss key key-sig compression protocol-version; do
        same "ssh -Q $query" "$program" /usr/bin/ssh -Q "$query"
    done
    begin=$SECONDS
    build_target sshd
    [ "$bad" -eq 0 ] || return 0
    [ $((SECONDS - begin)) -lt 20 ] || wrong "sshd was built again"
    program=$(cat "$box/out")
    ssh-keygen -q -t ed25519 -N '' -f "$box/key" </dev/null
    same "sshd -T" "$program" /usr/sbin/sshd -T -f /dev/null -h "$box/key"
    [ ! -d /run/sshd ] || grep -q '^usepam ' "$box/ours" || wrong "sshd -T: $(head -n 3 "$box/ours")"
}

# Lines that fail at once: fetching and unpacking is all that happens.
"$build" -b 'echo reached the build; false' diffutils /usr/bin/diff src/diff "$box/probe" >"$box/out" 2>&1 </dev/null ||
    true
if ! grep -qF 'reached the build' "$box/out"; then
    tail -n 30 "$box/out" >&2
    skip "the archive cannot be reached, or lacks diffutils $version"
fi
check as_ordinary_user
check diff_for_a_campaign
check finished_builds_are_used_again
[ "${OPENSSH:-0}" != 1 ] || check openssh_is_the_stock_one
exit $failed
