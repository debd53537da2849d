#!/usr/bin/env python3
"""Kills processes of running campaigns with SIGKILL at random moments.

Each round starts (or resumes) a campaign on diff, waits a random time, and kills at random the
supervisor, bubblewrap, afl-fuzz, the forkserver, the supervisor's children or all of them at once.
Afterwards no call that was printed may be missing from the folder: in the union, with its witness,
and in the database, which has to be whole; and --resume has to go on and count more inputs.

Usage: kill9.py [ROUNDS [SEED]]
"""
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

SYSREACH = os.environ.get("SYSREACH", "build/sysreach")
LINE = re.compile(r"^\+ \S+ (\S+) +(\S+) +\(")
VICTIMS = ("supervisor", "bwrap", "afl-fuzz", "diff", "all")


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            direct = [int(p) for p in f.read().split()]
    except OSError:
        return []
    return direct + [g for p in direct for g in children(p)]


def name(pid):
    try:
        with open("/proc/%d/comm" % pid) as f:
            return f.read().strip()
    except OSError:
        return ""


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def strike(supervisor, victim, dice):
    """Kills; returns who it was (the supervisor where there is no such process) and how many."""
    tree = children(supervisor)
    named = [p for p in tree if name(p) == victim]
    if victim == "all":
        targets = [supervisor] + tree
    elif named:
        targets = [dice.choice(named)]
    else:
        victim, targets = "supervisor", [supervisor]
    for pid in targets:
        kill(pid)
    return victim, len(targets)


def observed(folder):
    out = subprocess.run([SYSREACH, "set", "show", "--json", folder], check=True,
                         stdout=subprocess.PIPE).stdout
    return {(os.path.basename(i["path"]), c) for i in json.loads(out)["images"]
            for c in i["calls"] + i.get("startup", [])}


def inputs(folder):
    out = subprocess.run([SYSREACH, "status", "--json", folder], check=True,
                         stdout=subprocess.PIPE).stdout
    return json.loads(out)["inputs"]


def check(folder, flagged):
    missing = flagged - observed(folder)
    if missing:
        return "flagged, but not in the union: %s" % sorted(missing)
    db = sqlite3.connect(os.path.join(folder, "campaign.db"))
    whole = db.execute("PRAGMA integrity_check").fetchone()[0]
    if whole != "ok":
        return "the database is damaged: %s" % whole
    report = subprocess.run([SYSREACH, "report", "--json", folder], stdout=subprocess.PIPE)
    if report.returncode:
        return "report failed"
    witnesses = {(os.path.basename(d["image"]), d["call"]): d["witness"]
                 for d in json.loads(report.stdout)["discoveries"]}
    for call in sorted(flagged):
        path = os.path.join(folder, witnesses.get(call) or "none")
        if not os.path.exists(path):
            return "flagged, but without a witness: %s %s" % call
    return None


def round_(folder, seeds, flagged, dice, fresh):
    where = ["-o", folder, "-i", seeds, "diff"] if fresh else ["--resume", folder]
    out, err = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")
    run = subprocess.Popen([SYSREACH, "fuzz", "-t", "60s", *where], stdout=out, stderr=err,
                           stdin=subprocess.DEVNULL)
    # The folder has to be a campaign before anything can be lost from it.
    until = time.monotonic() + 30
    while not os.path.exists(os.path.join(folder, "campaign.db")) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(dice.uniform(0.1, 4))
    victim, killed = strike(run.pid, dice.choice(VICTIMS), dice)
    if victim not in ("supervisor", "all"):
        time.sleep(dice.uniform(0.5, 2))
        if run.poll() is not None:
            err.seek(0)
            return victim, killed, "the supervisor ended when %s was killed: %s" % (
                victim, err.read()[-600:])
    left = children(run.pid)
    kill(run.pid)
    run.wait()
    for pid in left:
        kill(pid)
    out.seek(0)
    for line in out:
        m = LINE.match(line)
        if m and line.endswith("\n"):
            flagged.add((m.group(2), m.group(1)))
    return victim, killed, check(folder, flagged)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    dice = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns())
    failed = 0
    with tempfile.TemporaryDirectory(prefix="sysreach-kill9-") as work:
        seeds = os.path.join(work, "seeds")
        os.mkdir(seeds)
        for i, text in enumerate(("arg a\narg b\nfile a\n|one\nfile b\n|two\n",
                                  "arg -r\narg a\narg b\nfile a/x\n|one\nfile b/x\n|two\n")):
            with open(os.path.join(seeds, "%d.scn" % i), "w") as f:
                f.write(text)
        for i in range(rounds):
            if i % 5 == 0:
                folder, flagged, before = os.path.join(work, "c%d" % i), set(), 0
            victim, killed, wrong = round_(folder, seeds, flagged, dice, i % 5 == 0)
            now = inputs(folder)
            print("round %d: %d x %s killed, %d calls flagged, %d inputs%s" % (
                i + 1, killed, victim, len(flagged), now, ": " + wrong if wrong else ""), flush=True)
            failed += bool(wrong)
            if i % 5 == 4:
                done = subprocess.run([SYSREACH, "fuzz", "-t", "3s", "--resume", folder],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                after = inputs(folder)
                if done.returncode or after <= now:
                    print("round %d: --resume did not go on (status %d, %d then %d inputs): %s" % (
                        i + 1, done.returncode, now, after, done.stderr.decode()[-500:]))
                    failed += 1
    print("%d of %d rounds: nothing that was flagged is lost" % (rounds - failed, rounds))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
