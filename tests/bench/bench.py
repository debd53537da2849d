#!/usr/bin/env python3
"""Measures what recording costs and what it saves, as ratios of things measured side by side.

1. The same forkserver on the same inputs, recording every call and recording nothing, in turns.
2. A campaign's forkserver against the manual way: `strace -f -o LOG`, the log cut down to a list of
   names, the list merged into the set so far; on the same scenarios, in turns. Once with one
   forkserver, once with one on each processor as -j does it; the manual way is one after the other.
   And once with the manual way pinned to one processor, as a forkserver is: strace then saves the
   wake-ups across processors, which on a virtual machine can be most of its time. The forkserver
   without recording against that is the ceiling: what any recorder in a forkserver could reach.

Each round measures all sides once; what is printed is the median of the rounds' ratios and their
range. Absolute times are of this machine at this moment.

Usage: bench.py [ROUNDS]        needs B (the build folder, default build)
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

B = os.path.abspath(os.environ.get("B", "build"))
SYSREACH = os.path.join(B, "sysreach")
HOOK = os.path.join(B, "libsysreach-hook.so")
DRIVE = os.path.join(B, "drive")
PROGRAM = "/usr/bin/diff"
SEEDS = "seeds/diff"

# Scenarios that are easy to make by hand as well: (arguments, {file: content}).
BY_HAND = [
    (["a", "b"], {"a": "one\ntwo\n", "b": "one\nthree\n"}),
    (["-u", "a", "b"], {"a": "one\ntwo\n", "b": "one\nthree\n"}),
    (["-r", "d", "e"], {"d/x": "one\n", "d/y": "two\n", "e/x": "one\n", "e/z": "three\n"}),
    (["-q", "a", "missing"], {"a": "one\n"}),
    (["-y", "a", "b"], {"a": "one\ntwo\n", "b": "one\nthree\n"}),
]


def conf(work, box, name, record):
    path = os.path.join(work, name + ".conf")
    os.makedirs(os.path.join(box, name))  # the hook wipes what lies beside its tree
    with open(path, "w") as f:
        f.write("program %s\nunion %s/union\ndiscoveries %s/discoveries\ninputs %s/inputs\n"
                "base %s/base\nroot %s/%s/w\ninstance bench\nslot 0\ngrace 100\nrecord %d\n"
                % (PROGRAM, work, work, work, work, box, name, record))
    return path


def make_union(work):
    """A union file, made by the command line: a replay leaves none, so a campaign of no length does."""
    folder = os.path.join(work, "campaign")
    subprocess.run([SYSREACH, "fuzz", "-E", "1", "-i", os.path.join(work, "hand"), "-o", folder,
                    "diff"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.copy(os.path.join(folder, "union"), os.path.join(work, "union"))


def drive(conf_path, rounds, inputs):
    out = subprocess.run([DRIVE, HOOK, conf_path, str(rounds), *inputs, "--", PROGRAM], check=True,
                         stdout=subprocess.PIPE).stdout.split()
    return float(out[1]) / int(out[0]), float(out[2]) / int(out[0])  # wall, cpu per input


def drive_all(confs, rounds, inputs):
    """One forkserver a processor, at the same time; inputs per second of all."""
    running = [subprocess.Popen([DRIVE, HOOK, c, str(rounds), *inputs, "--", PROGRAM],
                                env=dict(os.environ, DRIVE_CPU=str(cpu)), stdout=subprocess.PIPE)
               for cpu, c in enumerate(confs)]
    outs = [p.communicate()[0].split() for p in running]
    return sum(int(o[0]) / float(o[1]) for o in outs)


def scenario(args, files):
    lines = ["arg " + a for a in args]
    for name, content in files.items():
        lines.append("file " + name)
        lines += ["|" + line for line in content.splitlines()]
    return "\n".join(lines) + "\n"


def by_hand(work, box, times):
    """What one does without sysreach; seconds per input."""
    known, log = os.path.join(work, "known"), os.path.join(work, "log")
    open(known, "w").close()
    dirs = []
    for i, (args, files) in enumerate(BY_HAND):
        d = os.path.join(box, "tree%d" % i)
        for name, content in files.items():
            os.makedirs(os.path.dirname(os.path.join(d, name)), exist_ok=True)
            with open(os.path.join(d, name), "w") as f:
                f.write(content)
        dirs.append((d, args))
    script = ["set -f"]
    for d, args in dirs:
        script.append("cd %s; strace -f -o %s %s %s >/dev/null 2>&1; "
                      "sed -nE 's/^[0-9]+ +([a-z0-9_]+)\\(.*/\\1/p' %s | sort -u >%s.set; "
                      "sort -m -u %s.set %s >%s.new; mv %s.new %s" % (
                          d, log, PROGRAM, " ".join(args), log, log, log, known, known, known, known))
    began = time.monotonic()
    for _ in range(times):
        # The same environment as the scenarios'.
        subprocess.run(["sh", "-c", "\n".join(script)], check=True,
                       env={"PATH": "/usr/bin:/bin"})
    return (time.monotonic() - began) / (times * len(BY_HAND))


def by_hand_pinned(work, box, times):
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        return by_hand(work, box, times)
    finally:
        os.sched_setaffinity(0, before)


def show(what, ratios, unit=""):
    print("%-64s %8.2f%s  (%.2f to %.2f over %d rounds)" % (
        what, statistics.median(ratios), unit, min(ratios), max(ratios), len(ratios)), flush=True)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    # The trees lie in memory, as they do in the sandbox.
    with tempfile.TemporaryDirectory(prefix="sysreach-bench-") as work, \
            tempfile.TemporaryDirectory(prefix="sysreach-bench-", dir="/dev/shm") as box:
        os.makedirs(os.path.join(work, "hand"))
        os.makedirs(os.path.join(work, "discoveries"))
        hand = []
        for i, (args, files) in enumerate(BY_HAND):
            hand.append(os.path.join(work, "hand", "%d.scn" % i))
            with open(hand[-1], "w") as f:
                f.write(scenario(args, files))
        with open(os.path.join(work, "base"), "w") as f:
            f.write("env PATH=/usr/bin:/bin\n")
        make_union(work)
        on, off = conf(work, box, "on", 1), conf(work, box, "off", 0)
        seeds = sorted(os.path.join(SEEDS, s) for s in os.listdir(SEEDS) if s.endswith(".scn"))
        quick = [s for s in seeds if quick_enough(on, s)]
        each = [conf(work, box, "cpu%d" % i, 1) for i in range(os.cpu_count())]
        wall, cpu, saved, saved_all, saved_pinned, ceiling, recorded = [], [], [], [], [], [], []
        for _ in range(rounds):
            a, b = drive(on, 5, quick), drive(off, 5, quick)
            wall.append(b[0] / a[0])
            cpu.append(b[1] / a[1])
            recorded.append(1 / drive(on, 200, hand)[0])
            manual = by_hand(work, box, 3)
            saved.append(manual * recorded[-1])
            pinned = by_hand_pinned(work, box, 3)
            saved_pinned.append(pinned * recorded[-1])
            ceiling.append(pinned / drive(off, 200, hand)[0])
            saved_all.append(manual * drive_all(each, 200, hand))
        print("%d seeds of %s, %d scenarios by hand" % (len(quick), SEEDS, len(hand)))
        show("forkserver, execs/s with recording : without (wall)", wall)
        show("forkserver, execs/s with recording : without (CPU)", cpu)
        show("inputs/s, one forkserver with recording : strace, parse, merge", saved)
        show("inputs/s, one on each of %d processors : strace, parse, merge" % len(each), saved_all)
        show("inputs/s, one forkserver with recording : the same, pinned", saved_pinned)
        show("inputs/s, one forkserver without recording : the same, pinned", ceiling)
        show("inputs/s of the forkserver with recording", recorded)


def quick_enough(conf_path, seed):
    """Not those that wait for something: their time says nothing about recording."""
    return drive(conf_path, 2, [seed])[0] < 0.05


if __name__ == "__main__":
    main()
