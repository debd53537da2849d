#!/usr/bin/env python3
"""The tiny programs of tests/programs under sysreach.

recorder: every trigger scenario, replayed, shows the hidden call, and no neutral one does; calls that
the program's own filter refuses are told apart.
campaign: from the neutral scenario alone, a campaign of so many inputs finds the trigger. Luck has
a part in that, so there are several trials with seeds 101, 102, 103…; a program passes when more than half
of them find its call. A campaign is ended as soon as it has found what it is there for.

Usage: programs_check.py recorder PROGRAMS [NAME...]
       programs_check.py campaign PROGRAMS [--trials N] [--execs N] [--all] [NAME...]
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TESTS = os.path.join(HERE, "..", "programs")
REPLAY_SECONDS = 60
CAMPAIGN_SECONDS = 900
END_SECONDS = 60
SYSREACH = os.path.abspath(os.environ.get("SYSREACH") or
                           os.path.join(HERE, "..", "..", "build", "sysreach"))


# What a program's own filter refuses; the filters of all others refuse nothing.
REFUSED = {"own_filter": {"kcmp"}, "refused": {"kcmp", "capget", "personality", "getcpu"}}


class Failed(Exception):
    """sysreach did not give an answer."""


def read_table():
    with open(os.path.join(TESTS, "TABLE"), encoding="utf-8") as f:
        return [line.split(None, 3) for line in f if line.strip() and not line.startswith("#")]


def scenario(name, kind):
    return os.path.realpath(os.path.join(TESTS, "%s.%s.scn" % (name, kind)))


def answer(argv, seconds):
    """The JSON that sysreach prints."""
    try:
        p = subprocess.run([SYSREACH] + argv, stdin=subprocess.DEVNULL, capture_output=True,
                           timeout=seconds, check=False)
        return json.loads(p.stdout)
    except subprocess.TimeoutExpired as e:
        raise Failed("sysreach %s: no end after %d s" % (argv[0], seconds)) from e
    except ValueError as e:
        raise Failed("sysreach %s: status %d, no JSON: %s" %
                     (argv[0], p.returncode, p.stderr.decode(errors="replace")[-300:])) from e


def replayed(program, path, kind="calls"):
    images = answer(["replay", "--program", program, "--json", path], REPLAY_SECONDS)["images"]
    return {call for image in images for call in image.get(kind, [])}


def recorder(rows, programs):
    good = 0
    for name, call, _, behind in rows:
        try:
            program = os.path.join(programs, name)
            triggered = replayed(program, scenario(name, "trigger"))
            neutral = replayed(program, scenario(name, "neutral"))
            wrong = []
            if call not in triggered:
                wrong.append("not recorded when triggered")
            if call in neutral:
                wrong.append("recorded without the trigger")
            refused = replayed(program, scenario(name, "trigger"), "attempted")
            if refused != REFUSED.get(name, set()):
                wrong.append("refused: " + " ".join(sorted(refused)))
            if not neutral:
                wrong.append("nothing recorded at all")
        except (Failed, KeyError, TypeError) as e:
            wrong = [repr(e)]
        good += not wrong
        print("%-5s %-18s %-24s %s" % ("ok" if not wrong else "FAIL", name, call,
                                        "; ".join(wrong) or behind.strip()), flush=True)
    print("%d of %d calls recorded when triggered, and only then" % (good, len(rows)))
    return good == len(rows)


def discovery(folder, call):
    """(inputs before a call was discovered, its origin) as a campaign's report says, or None. A
    campaign that has only just begun has no report yet."""
    try:
        report = answer(["report", "--json", folder], REPLAY_SECONDS)
    except Failed:
        return None
    for d in report["discoveries"]:
        if d["call"] == call:
            return d["input"], d["origin"]
    return None


def trial(name, call, programs, execs, seed, work):
    """Inputs before the discovery, or None; raises Failed if there was no campaign."""
    seeds, folder = os.path.join(work, "seeds"), os.path.join(work, "campaign")
    for path in (seeds, folder):
        shutil.rmtree(path, ignore_errors=True)
    os.mkdir(seeds)
    shutil.copy(scenario(name, "neutral"), os.path.join(seeds, "neutral.scn"))
    log = os.path.join(work, "log")
    with open(log, "wb") as out:
        p = subprocess.Popen([SYSREACH, "fuzz", "-E", str(execs), "-s", str(seed), "-o", folder,
                              "-i", seeds, "--", os.path.join(programs, name)],
                             stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                             start_new_session=True)
    end = time.monotonic() + CAMPAIGN_SECONDS
    found = None
    while p.poll() is None and not found and time.monotonic() < end:
        time.sleep(1)
        found = discovery(folder, call)
        if found and found[0] is None:
            found = None  # seen, but its input is not on record yet
    if p.poll() is None:
        p.send_signal(signal.SIGINT)
    try:
        p.wait(timeout=END_SECONDS)
    except subprocess.TimeoutExpired as e:
        os.killpg(p.pid, signal.SIGKILL)
        p.wait()
        raise Failed("the campaign did not end within %d s of SIGINT" % END_SECONDS) from e
    found = found or discovery(folder, call)
    if not found and p.returncode != 0:
        with open(log, "rb") as f:
            raise Failed("fuzz: status %d: %s" %
                         (p.returncode, f.read()[-300:].decode(errors="replace")))
    if found and found[1] in ("seed", "startup"):
        raise Failed("made without the trigger: origin %s" % found[1])
    if found and found[0] is None:
        raise Failed("discovered, but the report does not say by which input")
    return found[0] if found and found[0] <= execs else None


def campaign(rows, programs, trials, limit, everything):
    rows = [r for r in rows if everything or r[2] != "-"]
    good = 0
    print("%-18s %-24s %8s %6s  %s" % ("program", "call", "within", "found", "inputs before the discovery"))
    with tempfile.TemporaryDirectory(prefix="programs-", dir="/var/tmp") as work:
        for name, call, number, _ in rows:
            execs = limit or (int(number) if number != "-" else 40000)
            at, problem = [], ""
            for seed in range(101, trials + 101):
                try:
                    found = trial(name, call, programs, execs, seed, work)
                    at.append(found)
                except (Failed, KeyError) as e:
                    problem = "  seed %d: %s" % (seed, e)
            hits = sum(a is not None for a in at)
            good += hits * 2 > trials
            print("%-18s %-24s %8d %3d/%-2d  %s%s" %
                  (name, call, execs, hits, trials,
                   " ".join("-" if a is None else str(a) for a in at), problem), flush=True)
    print("%d of %d calls found in more than half of %d trials" % (good, len(rows), trials))
    return good == len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("mode", choices=("recorder", "campaign"))
    parser.add_argument("programs", help="the folder that build.sh made")
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--execs", type=int, help="for each program, instead of TABLE's number")
    parser.add_argument("--all", action="store_true", help="also those that need too much luck")
    args = parser.parse_intermixed_args()
    if not os.access(SYSREACH, os.X_OK):
        print("programs_check: no %s: build it, or set SYSREACH" % SYSREACH, file=sys.stderr)
        return 3
    rows = [r for r in read_table() if not args.names or r[0] in args.names]
    if not rows:
        print("programs_check: no such program in TABLE", file=sys.stderr)
        return 2
    programs = os.path.realpath(args.programs)
    if args.mode == "recorder":
        return 0 if recorder(rows, programs) else 1
    return 0 if campaign(rows, programs, args.trials, args.execs, args.all) else 1


if __name__ == "__main__":
    sys.exit(main())
