#!/bin/bash
# What a user of `sysreach bound` relies on: every option, sets that the other commands read, chains, stack
# checks, modules, another root, clear errors. What the bound holds is checked elsewhere.
set -u
# shellcheck source=tests/integration/lib.sh
. "$(dirname "$0")/lib.sh"
make_work

status() { "$@" >"$work/out" 2>"$work/err" </dev/null; echo $?; }
calls() { grep -v '^# ' "$1"; }
valid() { python3 -m json.tool "$work/out" >/dev/null && echo yes; }
json() { # EXPRESSION over d, the JSON in out
    python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$work/out" "$1"
}
${CC:-gcc} -O1 -DMODULES="\"$work\"" -o "$work/loader" tests/programs/loaded_module.c &&
    ${CC:-gcc} -O1 -shared -fPIC -o "$work/module_syncfs.so" tests/programs/module_syncfs.c || exit 2
diff=$(realpath "$(command -v diff)")

# the set
is "bound: a program from PATH" 0 "$(status "$SYSREACH" bound diff)"
cp "$work/out" "$work/diff.set"
for key in "made-by: sysreach bound" "policy: tight" "closed: " "unresolved: " "sites: " "functions: " \
    "code-bytes: " "modules: 0" "image: $diff" "build-id: " "object-build-id: "; do
    has "bound: the header has '$key'" "# $key" "$work/diff.set"
done
is "bound: calls of every program are in it" 3 "$(calls "$work/diff.set" | grep -cxE 'execve|write|mmap')"
is "bound: the same when it is shown" same \
    "$("$SYSREACH" set show "$work/diff.set" | cmp - "$work/diff.set" && echo same)"
is "bound: -o" same "$(status "$SYSREACH" bound -o "$work/o.set" "$diff" >/dev/null; cmp "$work/o.set" "$work/diff.set" && echo same)"
is "bound: sound" 0 "$(status "$SYSREACH" bound --policy sound -o "$work/sound.set" diff)"
has "bound: sound says so" "# policy: sound" "$work/sound.set"
is "bound: tight is a part of sound" "" "$("$SYSREACH" set minus "$work/diff.set" "$work/sound.set" | grep -v '^# ')"
"$SYSREACH" trace -o "$work/trace.set" -- diff -u tests/run.sh tests/lint.sh >/dev/null
is "bound: a trace is a part of it" "" \
    "$("$SYSREACH" set minus --image diff "$work/trace.set" "$work/diff.set" | grep -v '^# ')"
is "bound: a union with a trace has one image" "1 1" "$("$SYSREACH" set union "$work/trace.set" "$work/diff.set" >"$work/u.set"
    echo "$(grep -c '^# image: ' "$work/u.set") $(grep -c "^# image: $diff$" "$work/u.set")")"
is "bound: build-ids of objects outlive a union" "$(grep -c '^# object-build-id: ' "$work/diff.set")" \
    "$(grep -c '^# object-build-id: ' "$work/u.set")"
is "bound: and the choice of an image" "$(grep -c '^# object-build-id: ' "$work/diff.set")" \
    "$("$SYSREACH" set show --image diff "$work/u.set" | grep -c '^# object-build-id: ')"
echo '[0, 1, 2, 3, 231]' >"$work/sysfilter.json"
is "bound: compared with a JSON array" 1 "$("$SYSREACH" set compare "$work/sysfilter.json" <("$SYSREACH" bound diff 2>/dev/null) >"$work/out"; echo $?)"
has "bound: compared with a JSON array, both parts" "only in B" "$work/out"

# JSON
is "bound --json" 0 "$(status "$SYSREACH" bound --json diff)"
is "bound --json: valid" yes "$(valid)"
is "bound --json: objects" "$diff True" "$(json 'd["bound"]["objects"][0]["path"] + " " + str(len(d["bound"]["objects"]) >= 3)')"
is "bound --json: all unresolved sites" True "$(json 'str(len(d["bound"]["unresolved"])) == d["header"]["unresolved"]')"
is "bound --json: a set again" same "$("$SYSREACH" set show "$work/out" | cmp - "$work/diff.set" && echo same)"

# chains
is "bound --why" 0 "$(status "$SYSREACH" bound --why write --why 9 diff)"
has "bound --why: begins" "   1  begins in " "$work/out"
has "bound --why: ends at the instruction" ": write" "$work/out"
has "bound --why: a number is a call" "mmap is in the tight bound of $diff" "$work/out"
is "bound --why: sums up" 2 "$(grep -cE '^ +[0-9]+ (steps, direct calls only|of [0-9]+ steps (is|are) )' "$work/out")"
is "bound --why: not in the bound" 1 "$(status "$SYSREACH" bound --why reboot diff)"
has "bound --why: not in the bound, said" "reboot is not in the tight bound of $diff" "$work/out"
is "bound --why: one of two" 1 "$(status "$SYSREACH" bound --why write --why reboot --json diff)"
is "bound --why --json" "yes True site False 0" \
    "$(valid) $(json 'd["chains"][0]["in_bound"], d["chains"][0]["steps"][-1]["kind"], d["chains"][1]["in_bound"], len(d["chains"][1]["steps"])' | tr -d "(),'")"
is "bound --why: no such call" 2 "$(status "$SYSREACH" bound --why no_such_call diff)"
has "bound --why: no such call, said" "no_such_call" "$work/err"

# tables
is "bound --unresolved" 0 "$(status "$SYSREACH" bound --unresolved diff)"
has "bound --unresolved: as many as the header says" "$(sed -n 's/^# unresolved: //p' "$work/diff.set") unresolved of " "$work/out"
is "bound --unresolved --json" "0 yes" "$(status "$SYSREACH" bound --unresolved --json diff) $(valid)"
is "bound --stats" 0 "$(status "$SYSREACH" bound --stats diff)"
has "bound --stats: objects" "$diff" "$work/out"
has "bound --stats: total" "total" "$work/out"
has "bound --stats: what it took" "s of CPU time" "$work/out"
is "bound --stats --json" "0 yes" "$(status "$SYSREACH" bound --stats --json diff) $(valid)"
is "bound --stats -o: both" "0 yes" "$(status "$SYSREACH" bound --stats -o "$work/both.set" diff) $(grep -qx write "$work/both.set" && echo yes)"

# stacks
printf '%s 0x1\n' "$diff" >"$work/miss"
is "bound --check: no code" 1 "$(status "$SYSREACH" bound --check "$work/miss" diff)"
has "bound --check: the sum" "1 frames, 1 distinct, 1 not reachable, 0 in objects outside the closure" "$work/out"
printf ' > /a (b)/c.so(f(int, g(h))+0x1) [0x12]\n > [vdso](x+0x1) [0x1]\nread(3, "", 1) = 0x7\n' >"$work/odd"
is "bound --check: outside" 0 "$("$SYSREACH" bound --check - diff <"$work/odd" >"$work/out"; echo $?)"
has "bound --check: parentheses" "outside the closure: /a (b)/c.so, 1 frame" "$work/out"
has "bound --check: [vdso]" "outside the closure: [vdso], 1 frame" "$work/out"
is "bound --check: no frames" 2 "$(status "$SYSREACH" bound --check /etc/passwd diff)"
is "bound --check: no such file" 2 "$(status "$SYSREACH" bound --check "$work/none" diff)"
is "bound --check: a folder" 2 "$(status "$SYSREACH" bound --check "$work" diff)"
if strace -f -k -o "$work/k.log" diff -r docs harness >/dev/null 2>&1; [[ -s $work/k.log ]] && grep -q '^ > ' "$work/k.log"; then
    is "bound --check: stacks of strace" 0 "$(status "$SYSREACH" bound --check "$work/k.log" diff)"
    has "bound --check: stacks of strace, none missing" " 0 not reachable, 0 in objects" "$work/out"
    is "bound --check --json" "0 yes []" "$(status "$SYSREACH" bound --check "$work/k.log" --json diff) $(valid) $(json 'd["not_reachable"]')"
else
    is "strace -k works here" "${MUST_WORK:+yes}" ""
fi

# modules
is "bound: a module is not known" 1 "$(status "$SYSREACH" bound --why syncfs "$work/loader")"
is "bound --module" 0 "$(status "$SYSREACH" bound --why syncfs --module "$work/module_syncfs.so" "$work/loader")"
"$SYSREACH" trace -o "$work/loader.set" -- "$work/loader" -m
is "bound --observed" 0 "$(status "$SYSREACH" bound --observed "$work/loader.set" -o "$work/l.set" "$work/loader")"
is "bound --observed: one module" "1 yes" "$(sed -n 's/^# modules: //p' "$work/l.set") $(grep -qx syncfs "$work/l.set" && echo yes)"
mkdir "$work/seeds" && echo 'arg -m' >"$work/seeds/m.scn"
"$SYSREACH" fuzz -E 30 -i "$work/seeds" -o "$work/campaign" -- "$work/loader" >"$work/out" 2>&1 || cat "$work/out"
is "bound --observed: a campaign" 0 "$(status "$SYSREACH" bound --observed "$work/campaign" --why syncfs "$work/loader")"
is "bound --observed: no images" 2 "$(status "$SYSREACH" bound --observed "$work/sysfilter.json" diff)"
"$SYSREACH" trace -o "$work/two.set" -- sh -c 'ls / >/dev/null; true'
is "bound --observed: another program's" 2 "$(status "$SYSREACH" bound --observed "$work/two.set" diff)"
has "bound --observed: which it has" "is an image" "$work/err"
is "bound --observed: no such folder" 2 "$(status "$SYSREACH" bound --observed "$work/none" diff)"
sed 's|^# calls: |# object: /memfd:jit (deleted)\n# object: /x/libsysreach-hook.so\n&|' "$work/loader.set" >"$work/odd.set"
mv "$work/module_syncfs.so" "$work/gone.so"
is "bound --observed: a module that is gone" 0 "$(status "$SYSREACH" bound --observed "$work/odd.set" "$work/loader")"
has "bound --observed: gone, said" "module_syncfs.so is not there any more" "$work/err"
has "bound --observed: no file, said" "/memfd:jit (deleted) is no file" "$work/err"
has "bound --observed: gone, in the header" "# left-out: 2" "$work/out"
is "bound --observed: the hook is ours" 0 "$(grep -c hook "$work/err")"
is "bound --module: no such file" 2 "$(status "$SYSREACH" bound --module "$work/none" diff)"

# another root
mkdir -p "$work/root/bin"
cp "$diff" "$work/root/bin/diff"
for object in $(ldd "$diff" | grep -oE '/[^ ]+'); do
    mkdir -p "$work/root$(dirname "$object")"
    cp -L "$object" "$work/root$object"
done
is "bound --root" 0 "$(status "$SYSREACH" bound --root "$work/root" /bin/diff)"
has "bound --root: paths are those inside" "# image: /bin/diff" "$work/out"
is "bound --root: the same calls" same "$(calls "$work/out" | cmp - <(calls "$work/diff.set") && echo same)"
is "bound --root: no such program" 2 "$(status "$SYSREACH" bound --root "$work/root" /bin/none)"
is "bound --root: no such folder" 2 "$(status "$SYSREACH" bound --root "$work/none" /bin/diff)"
find "$work/root" -name 'libc.so.6' -delete
is "bound --root: a library that is missing" 3 "$(status "$SYSREACH" bound --root "$work/root" /bin/diff)"
has "bound --root: which is missing" "libc.so.6" "$work/err"

# errors
patched() { # OFFSET BYTE: a copy of diff with one byte changed
    cp "$diff" "$work/bad" && printf "$2" | dd of="$work/bad" bs=1 seek="$1" conv=notrunc status=none
}
is "bound: no such program" 2 "$(status "$SYSREACH" bound no-such-program)"
is "bound: no such file" 2 "$(status "$SYSREACH" bound "$work/none")"
is "bound: a folder" 2 "$(status "$SYSREACH" bound "$work")"
is "bound: a script" 2 "$(status "$SYSREACH" bound tests/run.sh)"
has "bound: a script, said" "script" "$work/err"
patched 4 '\x01'
is "bound: 32 bits" 2 "$(status "$SYSREACH" bound "$work/bad")"
has "bound: 32 bits, said" "32-bit" "$work/err"
patched 18 '\xb7'
is "bound: another machine" 2 "$(status "$SYSREACH" bound "$work/bad")"
has "bound: another machine, said" "AArch64" "$work/err"
head -c 20000 "$diff" >"$work/bad"
is "bound: truncated" 2 "$(status "$SYSREACH" bound "$work/bad")"
has "bound: truncated, said" "truncated" "$work/err"
: >"$work/bad"
is "bound: empty" 2 "$(status "$SYSREACH" bound "$work/bad")"
is "bound: no program" 2 "$(status "$SYSREACH" bound)"
is "bound: two programs" 2 "$(status "$SYSREACH" bound diff ls)"
is "bound: a policy that is none" 2 "$(status "$SYSREACH" bound --policy loose diff)"
is "bound: two questions at once" 2 "$(status "$SYSREACH" bound --stats --why read diff)"
is "bound: stdin twice" 2 "$(status "$SYSREACH" bound --check - --observed - diff)"
is "bound: a full disk, stdout" 3 "$("$SYSREACH" bound diff 2>"$work/err" >/dev/full; echo $?)"
has "bound: a full disk, said" "No space left" "$work/err"
is "bound: a full disk, -o" 3 "$(status "$SYSREACH" bound -o /dev/full diff)"
is "bound: a full disk, a table" 3 "$("$SYSREACH" bound --stats diff 2>"$work/err" >/dev/full; echo $?)"
is "bound: a full disk, JSON" 3 "$("$SYSREACH" bound --why read --json diff 2>"$work/err" >/dev/full; echo $?)"
is "bound: -o into no folder" 3 "$(status "$SYSREACH" bound -o "$work/none/x" diff)"
is "bound --help" 0 "$(status "$SYSREACH" bound --help)"
for option in policy module observed root why unresolved stats check json output; do
    has "bound --help names --$option" "--$option" "$work/out"
    has "the manual names --$option" "\\-\\-$option" docs/man/sysreach-bound.1
done

summary
