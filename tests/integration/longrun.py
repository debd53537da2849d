#!/usr/bin/env python3
"""Watches a campaign: does it keep its rate, and do memory, processes, descriptors and disk stay bounded?

Samples while `sysreach fuzz -o DIR ...` runs, prints a line each INTERVAL seconds, and compares the
second half with the first: 1 as exit status where something grew.

Usage: longrun.py DIR SECONDS [INTERVAL]        needs SYSREACH (default build/sysreach)
       longrun.py DIR SECONDS [INTERVAL] -- FUZZ-OPTIONS TARGET     starts the campaign itself
"""
import os
import re
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SYSREACH = os.path.abspath(os.environ.get("SYSREACH", os.path.join(HERE, "../../build/sysreach")))
MEGABYTE = 1 << 20
# What a half may have more than the one before: memory and disk in MiB, processes, descriptors.
GROWTH = {"supervisor": 16, "afl-fuzz": 16, "forkserver": 16, "descriptors": 4}


def processes():
    """pid: (parent, name, words of the command line)"""
    table = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                name, rest = re.match(r"\d+ \((.*)\) (.*)", f.read(), re.S).groups()
            with open("/proc/%s/cmdline" % pid) as f:
                table[int(pid)] = (int(rest.split()[1]), name, f.read().split("\0"))
        except (OSError, AttributeError, UnicodeDecodeError):
            continue
    return table


def memory(pid):
    """Private memory in MiB: what is shared, the union for one, does not count."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return sum(int(n) for n in re.findall(r"^Private_\w+: +(\d+)", f.read(), re.M)) / 1024


def disk(folder):
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(at, name)).st_blocks * 512
            except OSError:
                pass
    return total / MEGABYTE


def descendants(table, top):
    below, more = {top}, True
    while more:
        new = {pid for pid, p in table.items() if p[0] in below} - below
        more = bool(new)
        below |= new
    return below


def find_supervisor(folder):
    for pid, (_, name, words) in processes().items():
        if name == "sysreach" and "fuzz" in words and any(os.path.abspath(w) == folder for w in words if w):
            return pid
    return None


def inputs_of(folder):
    got = subprocess.run([SYSREACH, "status", folder], capture_output=True, text=True)
    found = re.search(r"inputs +(\d+)", got.stdout)
    return int(found[1]) if found else 0


def sample(folder, supervisor):
    table = processes()
    below = descendants(table, supervisor)
    afl = [p for p in below if table.get(p, (0, "", []))[1] == "afl-fuzz"]
    servers = [p for p in below if p in table and table[p][0] in afl]
    return {"inputs": inputs_of(folder), "processes": len(below), "disk": disk(folder),
            "supervisor": memory(supervisor), "afl-fuzz": sum(map(memory, afl)),
            "forkserver": sum(map(memory, servers)),
            "descriptors": sum(len(os.listdir("/proc/%d/fd" % p)) for p in servers)}


def watch(folder, seconds, interval):
    supervisor, begin, samples = find_supervisor(folder), time.time(), []
    while not supervisor and time.time() - begin < 120:
        time.sleep(1)
        supervisor = find_supervisor(folder)
    if not supervisor:
        sys.exit("%s: no campaign is running there" % folder)
    print("%6s %9s %7s %10s %11s %9s %11s %12s %9s" %
          ("s", "inputs", "inputs/s", "processes", "supervisor", "afl-fuzz", "forkserver", "descriptors", "disk"))
    last = None
    while time.time() - begin < seconds:
        time.sleep(interval)
        try:
            s = sample(folder, supervisor)
        except OSError:
            if not os.path.exists("/proc/%d" % supervisor):
                break
            continue  # somebody ended while we looked
        s["time"] = time.time() - begin
        s["rate"] = (s["inputs"] - last["inputs"]) / (s["time"] - last["time"]) if last else 0
        print("%6.0f %9d %7.1f %10d %7.1f MiB %5.1f MiB %7.1f MiB %12d %5.1f MiB" %
              (s["time"], s["inputs"], s["rate"], s["processes"], s["supervisor"], s["afl-fuzz"],
               s["forkserver"], s["descriptors"], s["disk"]), flush=True)
        samples.append(s)
        last = s
    return samples


def judge(samples):
    if len(samples) < 6:
        sys.exit("too few samples: watch longer")
    samples = samples[1:]  # the first has no rate
    halves = samples[:len(samples) // 2], samples[len(samples) // 2:]

    def middle(key):
        return [statistics.median(s[key] for s in half) for half in halves]

    bad = [key for key, more in GROWTH.items() if middle(key)[1] > middle(key)[0] + more]
    for key in ("rate", "processes", "disk", *GROWTH):
        print("%-12s median of the first half %8.1f, of the second %8.1f%s" %
              (key, *middle(key), "   GROWS" if key in bad else ""))
    span = samples[-1]["time"] - samples[0]["time"]
    print("disk: %.2f MiB a minute" % ((samples[-1]["disk"] - samples[0]["disk"]) / span * 60))
    return 1 if bad else 0


def main():
    words = sys.argv[1:]
    fuzz = words[words.index("--") + 1:] if "--" in words else None
    words = words[:words.index("--")] if fuzz is not None else words
    if not 2 <= len(words) <= 3:
        sys.exit(__doc__)
    folder, seconds = os.path.abspath(words[0]), float(words[1])
    campaign = None
    if fuzz is not None:
        campaign = subprocess.Popen([SYSREACH, "fuzz", "-o", folder, "-t", "%ds" % seconds, *fuzz],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    samples = watch(folder, seconds, float(words[2]) if len(words) > 2 else 10)
    if campaign:
        campaign.wait()
        left = find_supervisor(folder)
        print("left running: %s" % (left or "nothing"))
    return judge(samples)


if __name__ == "__main__":
    sys.exit(main())
