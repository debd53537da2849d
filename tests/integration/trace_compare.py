#!/usr/bin/env python3
"""Runs commands untraced, under `sysreach trace` and under `strace -f`, and compares.

The sets of each image must be the same, and what sysreach passes through (stdout, stderr, exit
status) must be what the untraced command gives.

Two runs of one command need not make the same calls: who comes first decides whether a futex waits.
So where the first pair of runs differs, up to RUNS are made. A command that is marked racy passes
when the unions of both sides are equal. For any other command a difference is forgiven only if strace
alone shows it too: a missed call must be missing in some run of strace, an extra one must be in
some. The line of each command says how many runs it took.

strace stops a process at every call, twice, so that some races always end one way under it. A command
that is marked may=CALL has one: that call may be in one union only, in any image. Each such mark
was made after seeing the call come and go without any tracer.

Usage: trace_compare.py COMMANDS PROGRAMS [--only TEXT] [--strace-only]
"""
import argparse
import collections
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

import strace_sets

RUNS = 5
SECONDS = 120
Command = collections.namedtuple("Command", "flags needs text")
Result = collections.namedtuple("Result", "status out err")


def read_commands(path):
    commands = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                flags, needs, text = (part.strip() for part in line.split("|", 2))
                commands.append(Command(set(flags.replace(",", " ").split()) - {"-"},
                                        needs.split(), text))
    return commands


def make_template(base):
    """The files that the commands work on."""
    home, t = os.path.join(base, "home"), os.path.join(base, "template")
    os.makedirs(home)
    os.makedirs(os.path.join(t, "tree", "sub"))

    def put(name, text, mode=0o644):
        path = os.path.join(t, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)

    put("a", "one\ntwo\nthree\n")
    put("b", "one\n2\nthree\nfour\n")
    put("text.txt", "".join("line %d of some text\n" % i for i in range(20)))
    put("src.c", "#include <stdio.h>\nint main(void) { return puts(\"hi\") < 0; }\n")
    put("Makefile", "all: x y\nx: a\n\tcat a > x\ny: src.c\n\tgcc -c src.c -o y\n")
    put("script.sh", "#!/bin/sh\n# a comment\necho \"$@\"\nls / > /dev/null\n", 0o755)
    put("script.py", "#!/usr/bin/python3\nimport os\nprint(os.path.exists('a'))\n", 0o755)
    for i in range(6):
        put("tree/file%d" % i, "content %d\n" % i)
        put("tree/sub/file%d" % i, "more %d\n" % i)
    with open(os.path.join(base, "big.txt"), "w", encoding="utf-8") as f:
        for i in range(300000):
            f.write("%d %d\n" % (i * 2654435761 % 4294967296, i))
    if shutil.which("git"):
        repo = os.path.join(t, "repo")
        git = ["git", "-C", repo, "-c", "user.name=x", "-c", "user.email=x@y"]
        shutil.copytree(os.path.join(t, "tree"), repo)
        for args in (["init", "-q", "-b", "main"], ["add", "."],
                     ["commit", "-q", "-m", "first", "--date", "2020-01-01T00:00:00Z"]):
            subprocess.run(git + args, check=True, stdin=subprocess.DEVNULL)
    else:
        os.mkdir(os.path.join(t, "repo"))


class Bench:
    """A place where commands run, each time in a fresh copy of the template."""

    def __init__(self, base, sysreach):
        self.base = base
        self.sysreach = sysreach
        self.place = os.path.join(base, "run")
        self.out = os.path.join(base, "trace.out")
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8",
                    "HOME": os.path.join(base, "home"), "TZ": "UTC", "TMPDIR": base,
                    "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z"}

    def run(self, argv):
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(os.path.join(self.base, "template"), self.place, symlinks=True)
        if os.path.exists(self.out):
            os.unlink(self.out)
        # A session of its own, so that kill(0) and the end of time reach nobody else.
        p = subprocess.Popen(argv, cwd=self.place, env=self.env, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             start_new_session=True)
        try:
            out, err = p.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            out, err = p.communicate()
            return Result("no end after %d s" % SECONDS, out, err)
        # As a shell would say it: 128 + signal.
        return Result(128 - p.returncode if p.returncode < 0 else p.returncode, out, err)

    def strace(self, argv):
        result = self.run(["strace"] + strace_sets.OPTIONS + ["-o", self.out, "--"] + argv)
        return strace_sets.sets_of_log(self.out, self.place), result

    def trace(self, argv):
        result = self.run([self.sysreach, "trace", "--json", "-o", self.out, "--"] + argv)
        try:
            with open(self.out, encoding="utf-8") as f:
                return strace_sets.sets_of_json(json.load(f)), result
        except (OSError, ValueError, KeyError) as e:
            raise strace_sets.BadLog("sysreach wrote no trace (%s): status %s, %s" %
                                     (e, result.status, result.err.decode(errors="replace")[-300:]))


def flat(sets):
    return {(image, call) for image, calls in sets.items() for call in calls}


def united(runs):
    return set().union(*runs)


def differences(missed, extra):
    lines = []
    for image in sorted({i for i, _ in missed | extra}):
        for word, calls in (("missed", missed), ("extra", extra)):
            names = sorted(strace_sets.show(c) for i, c in calls if i == image)
            if names:
                lines.append("%s: %s: %s" % (image, word, " ".join(names)))
    return lines


def compare_sets(bench, command, argv):
    """(lines of differences, remarks, result of sysreach's first run)"""
    theirs, ours = [], []
    may = {strace_sets.call_key(f[4:]) for f in command.flags if f.startswith("may=")}
    first = None
    for runs in range(1, RUNS + 1):
        sets, _ = bench.strace(argv)
        theirs.append(flat(sets))
        if runs == 1 or "racy" in command.flags:
            sets, result = bench.trace(argv)
            ours.append(flat(sets))
            first = first or result
        if "racy" in command.flags:
            missed, extra = united(theirs) - united(ours), united(ours) - united(theirs)
        else:
            missed, extra = set.intersection(*theirs) - ours[0], ours[0] - united(theirs)
        missed, extra = ({x for x in side if x[1] not in may} for side in (missed, extra))
        if not missed and not extra:
            break
    seen = united(ours)
    images = len({i for i, _ in seen})
    remarks = "%d image%s, %d calls, %d run%s" % (images, "s"[images == 1:], len(seen), runs,
                                                  "s"[runs == 1:])
    return differences(missed, extra), remarks, first


def compare_output(command, plain, traced):
    lines = []
    for what, a, b in (("stdout", plain.out, traced.out), ("stderr", plain.err, traced.err)):
        if "unordered" in command.flags:
            a, b = sorted(a.split(b"\n")), sorted(b.split(b"\n"))
        if a != b:
            lines.append("%s differs: untraced %r, traced %r" % (what, a[-200:], b[-200:]))
    if plain.status != traced.status:
        lines.append("exit status: untraced %s, traced %s" % (plain.status, traced.status))
    return lines


def check(bench, command, argv, strace_only):
    """True when everything is the same."""
    try:
        if strace_only:
            plain = bench.run(argv)
            sets, traced = bench.strace(argv)
            lines = compare_output(command, plain, traced)
            print("%-5s %s  (status %s)" % ("ok" if not lines else "DIFF", command.text,
                                             plain.status))
            for image, calls in sets.items():
                print("      %s %d: %s" % (image, len(calls),
                                           " ".join(sorted(map(strace_sets.show, calls)))))
        else:
            plain = bench.run(argv)
            lines, remarks, traced = compare_sets(bench, command, argv)
            lines += compare_output(command, plain, traced)
            print("%-5s %s  (%s)" % ("ok" if not lines else "DIFF", command.text, remarks))
    except strace_sets.BadLog as e:
        lines = []
        print("DIFF  %s\n      %s" % (command.text, e), flush=True)
        return False
    for line in lines:
        print("      " + line)
    sys.stdout.flush()
    return not lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("commands")
    parser.add_argument("programs", help="the folder of the tiny programs")
    parser.add_argument("--only", help="commands that hold this text")
    parser.add_argument("--strace-only", action="store_true",
                        help="no sysreach: print what strace saw")
    args = parser.parse_args()
    must_work = os.environ.get("MUST_WORK") == "1"
    here = os.path.dirname(os.path.realpath(__file__))
    sysreach = os.path.abspath(os.environ.get("SYSREACH") or
                               os.path.join(here, "..", "..", "build", "sysreach"))
    if not args.strace_only and not os.access(sysreach, os.X_OK):
        print("trace_compare: no %s: build it, or set SYSREACH" % sysreach, file=sys.stderr)
        return 3
    same = total = skipped = missing = 0
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="trace-strace-") as base:
        base = os.path.realpath(base)
        make_template(base)
        bench = Bench(base, sysreach)
        for command in read_commands(args.commands):
            if args.only and args.only not in command.text:
                continue
            absent = [n for n in command.needs if not shutil.which(n, path=bench.env["PATH"])]
            if absent:
                skipped += 1
                missing += "optional" not in command.flags
                print("skip  %s: %s not installed" % (command.text, ", ".join(absent)))
                continue
            total += 1
            text = command.text.replace("%P", os.path.abspath(args.programs))
            same += check(bench, command, shlex.split(text), args.strace_only)
    print("%d of %d commands: same sets, output and status; %d skipped" % (same, total, skipped))
    if must_work and missing:
        print("MUST_WORK=1: %d commands were skipped that should run" % missing, file=sys.stderr)
        return 1
    return 0 if same == total and total else 1


if __name__ == "__main__":
    sys.exit(main())
