#!/usr/bin/env python3
"""What recording costs OpenSSH's inputs, by depth: alone, link, session.

A campaign's forkserver, in the sandbox that a campaign has, runs the same seeds twice: recording every
call, and recording nothing; in turns, seed by seed. The ratio is of all seeds' time together, the median
of the rounds and their range; by seed it is told as well, since one with very many calls outweighs the
others. "us a call" is what recording adds for each call, beside the floor: what a tracer adds that does
nothing at a stop but let the call go on, measured before and after each depth. "best" is the ratio that
such a tracer would have, all together. Seeds that wait for a clock are left out
(typing with a pace, sleep, a client that waits for a server, leftover processes with their grace):
waiting costs no less without recording.

Usage: depths.py [ROUNDS [TARGET...]]        needs B (the build folder, default build; of it drive, trap_floor)
"""
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile

B = os.path.abspath(os.environ.get("B", "build"))
SYSREACH = os.path.join(B, "sysreach")
DRIVE = os.path.join(B, "drive")
FLOOR = os.path.join(B, "trap_floor")
HOOK = "/run/sysreach/lib/libsysreach-hook.so"
INSIDE = "/run/sysreach/campaign"
DEPTHS = {"alone": ("alone-",), "link": ("link-",), "session": ("session-", "thesis-")}
SEEDS_EACH = int(os.environ.get("SEEDS_EACH", "8"))
SECONDS_EACH = 0.4  # of a seed's side of a round
TOO_LONG = 0.4  # seconds; what takes longer waits for something
INCOMPLETE = 1 | 2 | 4  # SR_INPUT_TIMEOUT, LEFTOVER, CUT

# Stands in front of bubblewrap and keeps its command line.
KEEP = """#!/bin/sh
case "$*" in *afl-fuzz*) printf '%s\\n' "$@" >{} ;; esac
exec {} "$@"
"""


class Sandbox:
    """A campaign without inputs, and its command line for bubblewrap up to the command."""

    def __init__(self, target, work):
        self.folder = os.path.join(work, target)
        tool, words = os.path.join(work, "bin"), os.path.join(work, "words")
        os.makedirs(tool, exist_ok=True)
        with open(os.path.join(tool, "bwrap"), "w") as f:
            f.write(KEEP.format(words, shutil.which("bwrap")))
        os.chmod(f.name, 0o755)
        subprocess.run([SYSREACH, "fuzz", "-E", "1", "-o", self.folder, target], check=True,
                       env=dict(os.environ, PATH=tool + ":" + os.environ["PATH"]),
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(words) as f:
            command = f.read().split("\n")
        self.command = ["bwrap"] + command[:command.index("init") + 1]
        shutil.copy(DRIVE, self.folder)
        with open(os.path.join(self.folder, "hook", "main.conf")) as f:
            lines = f.read()
        self.program = re.search("^program (.*)$", lines, re.M)[1]
        for name, record in (("on", 1), ("off", 0)):
            with open(os.path.join(self.folder, "hook", name + ".conf"), "w") as f:
                f.write(lines + "record %d\n" % record)

    def drive(self, record, rounds, seeds):
        """Wall seconds for one input."""
        inputs = [os.path.join(INSIDE, "seeds", s) for s in seeds]
        out = subprocess.run([*self.command, INSIDE + "/drive", HOOK,
                              "%s/hook/%s.conf" % (INSIDE, record), str(rounds), *inputs, "--",
                              self.program], check=True, stdout=subprocess.PIPE).stdout.split()
        return float(out[1]) / int(out[0])

    def seeds(self):
        """Names by depth, of those that do not wait."""
        db = sqlite3.connect("file:%s/campaign.db?mode=ro" % self.folder, uri=True)
        self.calls = {name: calls for name, flags, calls in
                      db.execute("SELECT name, flags, calls FROM seeds") if not flags & INCOMPLETE}
        found = {}
        for depth, prefixes in DEPTHS.items():
            names = sorted(n for n in self.calls
                           if n.startswith(prefixes) and not self.waits(n))
            step = max(1, len(names) / SEEDS_EACH)
            found[depth] = [names[int(i * step)] for i in range(min(SEEDS_EACH, len(names)))]
        return found

    def waits(self, name):
        with open(os.path.join(self.folder, "seeds", name), errors="replace") as f:
            text = f.read()
        served = re.search("^client ", text, re.M) and "stdin inet" not in text
        return served or re.search("pace=|sleep|^before |^signal ", text, re.M)


class Seed:
    """One seed's wall seconds for an input, on both sides, a round each."""

    def __init__(self, box, name, alone):
        self.box, self.name = box, name
        self.times = max(2, int(SECONDS_EACH / alone))
        self.on, self.off = [], []

    def measure(self, on_first):
        for side in ("on", "off") if on_first else ("off", "on"):
            getattr(self, side).append(self.box.drive(side, self.times, [self.name]))


def measure(box, names, rounds):
    seeds = [Seed(box, n, took) for n in names if (took := box.drive("off", 2, [n])) < TOO_LONG]
    for i in range(rounds):
        for seed in seeds:
            seed.measure(i % 2)
    return seeds


def trap_floor():
    """Microseconds for a call."""
    return float(subprocess.run([FLOOR], check=True, stdout=subprocess.PIPE).stdout)


def show(what, box, seeds, rounds, floor):
    on = [sum(s.on[i] for s in seeds) for i in range(rounds)]
    off = [sum(s.off[i] for s in seeds) for i in range(rounds)]
    ratios = [b / a for a, b in zip(on, off)]
    each = [statistics.median(s.off) / statistics.median(s.on) for s in seeds]
    calls = sum(box.calls[s.name] for s in seeds)
    wall = statistics.median(off) * 1e6
    print("%-13s %5d %6d %8.1f %8.1f   %.2f (%.2f to %.2f)   %.2f to %.2f, %.2f   %6.1f %6.1f   %.2f" % (
        what, len(seeds), calls / len(seeds), len(seeds) / statistics.median(on),
        len(seeds) / statistics.median(off), statistics.median(ratios), min(ratios), max(ratios),
        min(each), max(each), statistics.median(each),
        (statistics.median(on) - statistics.median(off)) * 1e6 / calls, floor,
        wall / (wall + calls * floor)), flush=True)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print("%-13s %5s %6s %8s %8s   %-19s   %-18s   %s  %s   %s" % (
        "", "seeds", "calls", "execs/s", "without", "ratio, all together", "by seed, median",
        "us a call", "floor", "best"))
    with tempfile.TemporaryDirectory(prefix="sysreach-bench-", dir="/var/tmp") as work:
        for target in sys.argv[2:] or ["ssh", "sshd"]:
            box = Sandbox(target, work)
            for depth, names in box.seeds().items():
                before = trap_floor()
                seeds = measure(box, names, rounds)
                if seeds:
                    show(target + " " + depth, box, seeds, rounds, (before + trap_floor()) / 2)


if __name__ == "__main__":
    main()
