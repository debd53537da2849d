#!/usr/bin/env python3
"""Is what a run with peers recorded exact? Sets of every image, those of the peers too.

peers_exact.py strace SCENARIO   a replay with /bin/bash, against the same under `strace -f`
peers_exact.py campaign DIR      the seeds of a campaign on /bin/bash, as its forkserver recorded them,
                                 against replays

Exit status 1 where a set differs.
"""
import json
import os
import subprocess
import sys
import tempfile

from exactness import HARNESS, SYSREACH, Campaign, merge, under_replay
from strace_sets import OPTIONS, sets_of_log, show

PROGRAM = os.path.realpath("/bin/bash")
TRIES = 3  # what depends on timing may take more than one run


def replayed(scenario):
    out = subprocess.run([SYSREACH, "replay", "--json", "--program", PROGRAM, scenario], check=True,
                         stdout=subprocess.PIPE, timeout=120).stdout
    return {i["path"]: set(i["calls"]) for i in json.loads(out)["images"] if i["calls"]}


def straced(scenario, log):
    subprocess.run(["strace", *OPTIONS, "-o", log, SYSREACH, "replay", "--exec", "--program",
                    PROGRAM, scenario], check=True, stdout=subprocess.DEVNULL,
                   stdin=subprocess.DEVNULL, timeout=120)
    sets = sets_of_log(log)
    return {image: {show(c) for c in calls} for image, calls in sets.items()
            if os.path.basename(image) not in HARNESS}


def compare(name, recorded, oracle):
    """oracle() gives one run's sets. Prints what differs."""
    seen = {}
    for _ in range(TRIES):
        merge(seen, oracle())
        seen.setdefault(PROGRAM, set()).add("execve")  # the launch, made by the harness
        if seen == recorded:
            return True
    for image in sorted(set(seen) | set(recorded)):
        missed = seen.get(image, set()) - recorded.get(image, set())
        extra = recorded.get(image, set()) - seen.get(image, set())
        if missed or extra:
            print("%s: %s: missed %s; extra %s" % (name, image, " ".join(sorted(missed)) or "none",
                                                   " ".join(sorted(extra)) or "none"))
    return False


def of_campaign(folder):
    campaign = Campaign(folder)
    rows = campaign.db.execute(
        "SELECT id, instance, file, flags FROM inputs WHERE file LIKE '%orig:%'").fetchall()
    for row in rows:
        yield ("%s (flags %d)" % (row[2], row[3]), campaign.recorded(row),
               lambda r=row: under_replay(folder, campaign.path(r)))


def main():
    with tempfile.TemporaryDirectory() as work:
        if sys.argv[1] == "strace":
            log = os.path.join(work, "log")
            cases = [(sys.argv[2], replayed(sys.argv[2]), lambda: straced(sys.argv[2], log))]
        else:
            cases = list(of_campaign(sys.argv[2]))
        same = sum(compare(*case) for case in cases)
        images = len(set().union(*(recorded for _, recorded, _ in cases))) if cases else 0
    print("%d of %d scenarios with %d images" % (same, len(cases), images))
    sys.exit(0 if cases and same == len(cases) else 1)


if __name__ == "__main__":
    main()
