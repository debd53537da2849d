#!/usr/bin/env python3
"""Do real call stacks lie in the code that the tight bound holds reachable?

Commands of bound_programs.txt run under `strace -f -k`. Every frame of every call's stack goes to the
image whose process made the call; `sysreach bound --check` judges the distinct ones, with the modules that
a run under `sysreach trace` loaded (--observed). A frame whose function is not reachable is a way that
the bound missed. So is one in an object outside the closure. Frames in memory that no file backs
(the vDSO, code made at run time) are counted apart, and so are words of the stack that are no address of
anything ("unexpected_backtracing_error": the unwinder has lost its way).

Usage: bound_stacks.py [--quick] [--only TEXT] [--frames N] [--strace-only]
  --quick        the commands that are marked so; at least 5,000 frames (else 100,000)
  --strace-only  no sysreach: what strace saw, per image
"""
import argparse
import collections
import concurrent.futures
import os
import re
import sys
import tempfile

import bound_sound
import bound_tool
import strace_sets
import trace_compare

FRAME = re.compile(r" > ([^(]+)\(.*\) \[(0x[0-9a-f]+)\]$")
NO_FILE = re.compile(r" > (\[[^\]]*\]|//anon|/memfd:|/dev/zero|/SYSV|unexpected|\?)")
SUMMARY = re.compile(r"(\d+) frames, (\d+) distinct, (\d+) not reachable, (\d+) in objects outside")


class StackLog(strace_sets.Log):
    """A log of strace -k: frames is {image: Counter of (object, offset)}."""

    def __init__(self, path, cwd):
        self.frames = collections.defaultdict(collections.Counter)
        self.no_file = collections.Counter()
        self.after = []  # frames behind each line of a call
        lines = []
        with open(path, encoding="utf-8", errors="surrogateescape") as f:
            for line in f:
                if not line.startswith(" > "):
                    lines.append(line)
                    self.after.append([])
                elif self.after:
                    self.after[-1].append(line.rstrip("\n"))
        super().__init__(lines, cwd)

    def event(self, index, task, number, text):
        # An exec's stack is that of before, but for the first, which strace sees at its end only.
        known = task in self.tasks and task not in self.dead
        image = self.tasks[task].image if known else None
        super().event(index, task, number, text)
        if not image and task in self.tasks:
            image = self.tasks[task].image
        for line in self.after[index]:
            m = FRAME.match(line)
            if NO_FILE.match(line):
                self.no_file[re.split(r"[( ]", line[3:])[0]] += 1
            elif m and image:
                self.frames[image][m[1], m[2]] += 1
            else:
                raise strace_sets.BadLog("not a frame: " + line)


def stacks(place, command):
    """A StackLog of one run."""
    log = place.bench.out = os.path.join(place.base, "stacks.log")
    place.bench.run(["strace", "-k", *strace_sets.OPTIONS, "-o", log, "--", *place.argv(command)])
    return StackLog(log, place.bench.place)


class Check:
    """Frames of one image, from one command or several with the same modules."""

    def __init__(self, image):
        self.image = image
        self.frames = collections.Counter()
        self.commands = []

    def run(self):
        """(lines, frames that are not reachable, frames outside, distinct)"""
        with tempfile.NamedTemporaryFile("w", prefix="bound-frames-", errors="surrogateescape") as f:
            for (path, offset), _ in sorted(self.frames.items()):
                f.write("%s %s\n" % (path, offset))
            f.flush()
            status, out, err, *_ = bound_tool.measured(
                [bound_tool.sysreach(), "bound", "--policy", "tight", "--observed",
                 self.image.file, "--check", f.name, self.image.path], 300)
        m = SUMMARY.search(out)
        if status not in (0, 1) or not m or int(m[1]) != len(self.frames):
            raise bound_tool.Failed(status, err or out)
        wrong = [line for line in out.splitlines() if not SUMMARY.search(line)]
        return wrong, int(m[3]), int(m[4]), int(m[2])


def collect(place, commands):
    """({(image, objects): Check}, Counter of frames without a file, commands that did not run)"""
    checks, no_file, broken = {}, collections.Counter(), []
    for command in commands:
        try:
            images = {i.path: i for i in place.trace(command)}
            log = stacks(place, command)
        except (bound_tool.Failed, strace_sets.BadLog) as e:
            broken.append("%s: %s" % (command.text, e))
            continue
        no_file.update(log.no_file)
        for path, frames in log.frames.items():
            if path not in images:
                broken.append("%s: %s ran under strace only" % (command.text, path))
                continue
            check = checks.setdefault((path, images[path].objects), Check(images[path]))
            check.frames.update(frames)
            check.commands.append(command.text)
    return checks, no_file, broken


def report(checks, pool):
    """(frames, distinct, not reachable, outside, failures); one line an image."""
    total = distinct = missed = outside = failures = 0
    jobs = [(c, pool.submit(c.run)) for c in checks]
    for check, job in jobs:
        frames = sum(check.frames.values())
        total += frames
        try:
            wrong, lost, out, different = job.result()
        except bound_tool.Failed as e:
            failures += 1
            print("not ok %s: %d frames: %s" % (check.image.path, frames, e), flush=True)
            continue
        distinct += different
        missed += lost
        outside += out
        print("%s %s: %d frames, %d distinct, %d not reachable, %d outside" % (
            "not ok" if lost or out else "ok", check.image.path, frames, different, lost, out))
        for line in wrong:
            print("    %s  (%s)" % (line, check.commands[0][:60]), flush=True)
    return total, distinct, missed, outside, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", help="commands that hold this text")
    parser.add_argument("--frames", type=int, help="how many there must be at least")
    parser.add_argument("--strace-only", action="store_true")
    args = parser.parse_args()
    commands, skipped = bound_sound.runnable(
        trace_compare.read_commands(os.path.join(bound_tool.HERE, "bound_programs.txt")),
        args.only, "quick" if args.quick else "stack")
    least = args.frames if args.frames is not None else 5000 if args.quick else 100000
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="bound-stacks-") as base, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        os.chmod(base, 0o755)
        place = bound_sound.Place(os.path.realpath(base))
        try:
            if args.strace_only:
                for command in commands:
                    log = stacks(place, command)
                    print(command.text[:70], {p: (sum(c.values()), len(c))
                                              for p, c in log.frames.items()}, dict(log.no_file))
                return 0
            checks, no_file, broken = collect(place, commands)
            # Programs in the working folder are gone; none of these commands runs one of them.
            total, distinct, missed, outside, failures = report(checks.values(), pool)
        finally:
            place.close()
    for line in broken:
        print("not ok " + line)
    for line in skipped:
        print("skipped: " + line)
    print("frames that no file backs: %s" % (
        ", ".join("%s %d" % i for i in sorted(no_file.items())) or "none"))
    print("%d frames of %d images (%d distinct): %d not reachable, %d outside the closure; %d failures"
          % (total, len(checks), distinct, missed, outside, failures + len(broken)))
    if total < least:
        print("fewer than %d frames" % least)
    return 0 if not (missed or outside or failures or broken) and total >= least else 1


if __name__ == "__main__":
    sys.exit(main())
