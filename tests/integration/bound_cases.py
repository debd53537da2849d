#!/usr/bin/env python3
"""Bounds of small programs whose answer is known: tests/bound/CASES says what each must hold.

Every case is built by several compilers, at several optimisations, as PIE and not. The first build of each
runs under strace as well, so that CASES itself is held against what the programs really do.

Usage: bound_cases.py [--full] [--native] [--only TEXT] [--keep DIR]
  --full     every variant of the programs with a libc, too (else four of twelve)
  --native   only the runs under strace, of every variant; no sysreach
"""
import argparse
import collections
import concurrent.futures
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import bound_tool
import strace_sets

SOURCES = os.path.join(bound_tool.TOP, "tests", "bound")
# clang leaves unwind information out of freestanding code unless it is told.
FREE = ["-nostdlib", "-nostartfiles", "-ffreestanding", "-fno-stack-protector",
        "-fasynchronous-unwind-tables"]
SOME = {("gcc", "O2", "pie"), ("gcc", "O0", "nopie"), ("clang", "O2", "pie"),
        ("clang", "O3", "nopie"), ("musl-gcc", "O2", "pie")}
Case = collections.namedtuple("Case", "name kind how options runs tight sound")
Expected = collections.namedtuple("Expected", "shown hidden never may")
Built = collections.namedtuple("Built", "program options folder")


def expected(text):
    words = text.split()
    return Expected({w for w in words if w[0] not in "~-?"},
                    *({w[1:] for w in words if w[0] == mark} for mark in "~-?"))


def read_cases(path):
    cases = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            if not line.strip() or line.startswith("#"):
                continue
            name, how, runs, tight, sound = (part.strip() for part in line.split("|"))
            kind, *words = how.split()
            options = dict(w.split("=", 1) for w in words if "=" in w)
            runs = [] if runs == "-" else [[] if r == "." else r.split() for r in runs.split(";")]
            cases.append(Case(name, kind, {w for w in words if "=" not in w}, options, runs,
                              expected(tight), expected(tight if sound == "same" else sound)))
    return cases


def variants(case, full):
    def choose(among):
        wanted = [w for w in among if w in case.how]
        return wanted or among

    compilers = ["musl-gcc"] if case.kind == "musl" else choose(["gcc", "clang"])
    every = [(c, o, p) for c in compilers for o in choose(["O0", "O2", "O3"])
             for p in choose(["pie", "nopie"])]
    few = [v for v in every if v in SOME]
    return few if few and case.kind != "free" and not full else every


def source_of(case):
    if "source" in case.options:
        return case.options["source"]
    return case.name + (".c" if os.path.exists(os.path.join(SOURCES, case.name + ".c")) else ".cc")


def more(case, key):
    return case.options[key].split("+") if key in case.options else []


def compile_one(compiler, language, options):
    if language == "cc":
        compiler = {"gcc": "g++", "clang": "clang++"}[compiler]
    p = subprocess.run([compiler, "-std=gnu11" if language == "c" else "-std=gnu++17",
                        "-D_GNU_SOURCE", "-w", *options], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if p.returncode:
        raise bound_tool.Failed(p.returncode, "%s: %s" % (compiler, p.stderr.decode()[:300]))


def drop_section_headers(path):
    with open(path, "r+b") as f:
        f.seek(0x28)
        f.write(struct.pack("<Q", 0))
        f.seek(0x3c)
        f.write(struct.pack("<HH", 0, 0))


def build(case, variant, folder):
    compiler, opt, kind = variant
    os.makedirs(folder, exist_ok=True)
    source = source_of(case)
    language = source.rsplit(".", 1)[1]
    program = os.path.join(folder, case.name)
    link = more(case, "link")
    options = ["-" + opt, "-fpie" if kind == "pie" else "-fno-pie"]
    options += (FREE if case.kind == "free" else []) + more(case, "flags")
    if case.kind == "free":
        options += ["-static-pie" if kind == "pie" else "-static"]
        options += ["-fno-exceptions", "-fno-rtti"] if language == "cc" else []
    elif not any(w.startswith("-static") for w in link):
        options += ["-pie" if kind == "pie" else "-no-pie"]
    wanted = []
    for key in ("lib", "module"):
        if key in case.options:
            library = os.path.join(folder, case.options[key].rsplit(".", 1)[0] + ".so")
            # As if it were somebody else's: no guess of the compiler that a symbol stays its own.
            script = ["-Wl,--version-script=" + os.path.join(SOURCES, case.options["map"])
                      ] if "map" in case.options else []
            compile_one(compiler, "c", ["-" + opt, "-fPIC", "-fsemantic-interposition", "-shared",
                                        "-Wl,-soname," + os.path.basename(library), *script, "-o",
                                        library, os.path.join(SOURCES, case.options[key])])
            if key == "lib":
                link += [library, "-Wl,-rpath," + folder]
            else:
                wanted += ["--module", library]
    if "load" in case.options:
        wanted += ["--module", case.options["load"]]
    if "strip" in case.how:
        link.append("-s")
    compile_one(compiler, language, [*options, "-o", program, os.path.join(SOURCES, source), *link])
    if "noshdr" in case.how:
        drop_section_headers(program)
    return Built(program, wanted, folder)


def native(case, built):
    """What the runs show that CASES does not say, or the other way round."""
    seen = set()
    log = built.program + ".strace"
    for arguments in case.runs:
        arguments = [a.replace("%D", built.folder) for a in arguments]
        subprocess.run(["strace", *strace_sets.OPTIONS, "-o", log, "--", built.program, *arguments],
                       cwd=built.folder, check=False, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        sets = strace_sets.sets_of_log(log, built.folder)
        seen |= {strace_sets.show(c) for c in sets[os.path.realpath(built.program)]}
    if not case.runs:
        return ""
    extra = seen & case.tight.never
    if case.kind == "free":
        extra |= seen - case.tight.shown - case.tight.hidden - case.tight.may - {"execve"}
    return difference("run", case.tight.shown - seen, extra)


def difference(what, missing, extra):
    words = []
    if missing:
        words.append("missing: " + " ".join(sorted(missing)))
    if extra:
        words.append("extra: " + " ".join(sorted(extra)))
    return "%s: %s" % (what, " ".join(words)) if words else ""


def judge(case, variant, policy, want, got):
    """A sentence where the bound is not what CASES says."""
    extra = got.calls & want.never
    if case.kind == "free":
        extra |= got.calls - want.shown - want.hidden - want.may
    missing = (want.shown | want.hidden) - got.calls
    forgiven = "mayopen" in case.how or "stack" in case.how and variant[1] == "O0"
    if forgiven and not got.closed:
        missing = set()
    said = difference(policy, missing, extra)
    if "open" in case.how and got.closed:
        said += " %s: says it is closed" % policy
    elif case.kind == "free" and not got.closed and not forgiven and "open" not in case.how:
        said += " %s: not closed" % policy
    return said.strip()


def check(case, variant, base, args, first):
    """(line, remark): remark is "" for what is right."""
    folder = os.path.join(base, "-".join((case.name,) + variant))
    remarks, opened = [], False
    try:
        built = build(case, variant, folder)
        if first or args.native:
            remarks.append(native(case, built))
        if not args.native:
            bounds = {}
            for policy, want in (("tight", case.tight), ("sound", case.sound)):
                bounds[policy] = bound_tool.bound(built.program, policy, built.options)
                opened = opened or not bounds[policy].closed
                remarks.append(judge(case, variant, policy, want, bounds[policy]))
            if not bounds["tight"].calls <= bounds["sound"].calls:
                remarks.append("tight is not in sound")
    except (bound_tool.Failed, strace_sets.BadLog, KeyError, subprocess.TimeoutExpired) as e:
        remarks.append("%s: %s" % (type(e).__name__, e))
    if not args.keep:
        shutil.rmtree(folder, ignore_errors=True)
    where = "%s %s -%s %s" % ((case.name,) + variant)
    remark = "; ".join(r for r in remarks if r)
    if remark:
        return "not ok %s %s" % (where, remark), False, opened
    return "ok %s%s" % (where, " (not closed)" if opened and case.kind == "free" else ""), True, \
        opened


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--native", action="store_true")
    parser.add_argument("--only", help="cases whose name holds this text")
    parser.add_argument("--keep", help="build into this folder and leave it")
    args = parser.parse_args()
    for need in ("gcc", "g++", "clang", "strace", "musl-gcc"):
        if not shutil.which(need):
            print("bound_cases: skipped: %s is not installed" % need, file=sys.stderr)
            return 1 if os.environ.get("MUST_WORK") == "1" else 77
    cases = [c for c in read_cases(os.path.join(SOURCES, "CASES"))
             if not args.only or args.only in c.name]
    right = total = 0
    opened = set()
    with tempfile.TemporaryDirectory(prefix="bound-cases-") as base, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        base = os.path.realpath(args.keep or base)
        jobs = [(case, pool.submit(check, case, v, base, args, i == 0)) for case in cases
                for i, v in enumerate(variants(case, args.full))]
        for case, job in jobs:
            line, ok, is_open = job.result()
            print(line, flush=True)
            total += 1
            right += ok
            if is_open and case.kind == "free" and "open" not in case.how:
                opened.add(case.name)
    if opened:
        print("numbers that are not resolved, and said so: " + " ".join(sorted(opened)))
    print("%d of %d builds of %d cases as expected" % (right, total, len(cases)))
    return 0 if right == total and total else 1


if __name__ == "__main__":
    sys.exit(main())
