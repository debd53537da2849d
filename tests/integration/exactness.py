#!/usr/bin/env python3
"""Are the bitmaps that a campaign recorded exact?

Takes kept inputs of a finished campaign at random and runs each of them again, plainly, on the stock
binary under `strace -f`: the recorded set of every image, the start-up set included, has to be what
strace saw. An input that strace saw otherwise is looked at up to RETRIES times, and the union of those
runs counts: what depends on timing is not the same twice. Inputs that were cut off while fuzzing
(time limit, leftover processes) are not complete by their own flags and are left out; inputs whose
scenario sends signals at the n-th call are compared with `sysreach replay`, since strace does not
count calls. Both are counted and said.

Usage: exactness.py DIR [N]     exit status 1 where a set differs
"""
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile

from strace_sets import OPTIONS, sets_of_log, show

SYSREACH = os.environ.get("SYSREACH", "build/sysreach")
RETRIES = 5
INCOMPLETE = 1 | 2 | 4  # SR_INPUT_TIMEOUT, LEFTOVER, CUT
HARNESS = ("bwrap", "sysreach", "true")


def under_strace(folder, path, log):
    subprocess.run(["strace", *OPTIONS, "-o", log, SYSREACH, "replay", "--exec", folder, path],
                   check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=120)
    sets = sets_of_log(log)
    return {image: {show(c) for c in calls} for image, calls in sets.items()
            if os.path.basename(image) not in HARNESS}


def under_replay(folder, path):
    out = subprocess.run([SYSREACH, "replay", "--json", folder, path], check=True,
                         stdout=subprocess.PIPE, timeout=120).stdout
    return {i["path"]: set(i["calls"]) for i in json.loads(out)["images"] if i["calls"]}


def merge(into, sets):
    for image, calls in sets.items():
        into.setdefault(image, set()).update(calls)


class Campaign:
    def __init__(self, folder):
        self.folder = folder
        self.db = sqlite3.connect("file:%s/campaign.db?mode=ro" % folder, uri=True)
        shown = subprocess.run([SYSREACH, "set", "show", "--json", folder], check=True,
                               stdout=subprocess.PIPE).stdout
        program = json.loads(shown)["images"][0]
        self.program, self.startup = program["path"], set(program.get("startup", []))
        if not self.startup:
            sys.exit("exactness: the campaign has no start-up set")

    def inputs(self, n):
        rows = self.db.execute("SELECT id, instance, file, flags FROM inputs").fetchall()
        random.Random(1).shuffle(rows)
        complete = [r for r in rows if not r[3] & INCOMPLETE]
        return complete[:n], len(rows) - len(complete)

    def recorded(self, row):
        sets = {}
        for image, call in self.db.execute(
                "SELECT image, call FROM input_call_names WHERE input = ?", (row[0],)):
            sets.setdefault(image, set()).add(call)
        sets.setdefault(self.program, set()).update(self.startup)
        return sets

    def path(self, row):
        # AFL++ calls a lone instance's folder "default".
        paths = [os.path.join(self.folder, "afl", name, "queue", row[2])
                 for name in (row[1], "default")]
        return next(p for p in paths if os.path.exists(p))


def has_signal(path):
    with open(path, "rb") as f:
        return any(line.startswith(b"signal ") for line in f)


def check(campaign, row, log):
    path, recorded, seen = campaign.path(row), campaign.recorded(row), {}
    by_replay = has_signal(path)
    for run in range(RETRIES):
        once = under_replay(campaign.folder, path) if by_replay else \
            under_strace(campaign.folder, path, log)
        # The exec that launches the program is made by us; it belongs to the start-up set.
        once.setdefault(campaign.program, set()).add("execve")
        merge(seen, once)
        if seen == recorded:
            return by_replay, run + 1, {}
    return by_replay, RETRIES, {
        image: (sorted(seen.get(image, set()) - recorded.get(image, set())),
                sorted(recorded.get(image, set()) - seen.get(image, set())))
        for image in sorted(set(seen) | set(recorded)) if seen.get(image) != recorded.get(image)}


def main():
    campaign = Campaign(sys.argv[1])
    rows, cut_off = campaign.inputs(int(sys.argv[2]) if len(sys.argv) > 2 else 300)
    same = replayed = repeated = 0
    with tempfile.TemporaryDirectory() as work:
        for row in rows:
            by_replay, runs, differing = check(campaign, row, os.path.join(work, "log"))
            same += not differing
            replayed += by_replay
            repeated += not differing and runs > 1
            for image, (missed, extra) in differing.items():
                print("%s: %s: missed %s; extra %s" % (
                    row[2], image, " ".join(missed) or "none", " ".join(extra) or "none"))
    print("%d of %d inputs: recorded as the oracle saw them (%d after more than one run; %d compared "
          "with replay because they send signals; %d incomplete ones left out)" % (
              same, len(rows), repeated, replayed, cut_off))
    sys.exit(0 if rows and same == len(rows) else 1)


if __name__ == "__main__":
    main()
