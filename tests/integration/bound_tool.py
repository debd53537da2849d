#!/usr/bin/env python3
"""What the tests of `sysreach bound` share: running it, and what it used."""
import collections
import json
import os
import signal
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

# calls: names. closed: no site without a known number. about: what the JSON says of the bound. cpu, wall:
# seconds. peak: KiB.
Bound = collections.namedtuple("Bound", "calls closed about cpu wall peak")


class Failed(Exception):
    """sysreach bound gave no bound; status and message."""

    def __init__(self, status, text):
        super().__init__("status %s: %s" % (status, text.strip()[-400:] or "no message"))
        self.status = status
        self.text = text


def sysreach():
    return os.path.abspath(os.environ.get("SYSREACH") or os.path.join(TOP, "build", "sysreach"))


def measured(argv, seconds):
    """(status, stdout, stderr, CPU seconds, wall seconds, peak KiB) of a process that may use so much CPU
    time, and six times that altogether; status is "no end …" when it had to be killed. Output goes
    through files: wait4 has to be ours to know what the process used."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.monotonic()
        p = subprocess.Popen(["prlimit", "--core=0", "--cpu=%d" % seconds, *argv],
                             stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        timer = threading.Timer(6 * seconds, p.kill)
        timer.start()
        _, status, used = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        timer.cancel()
        wall = time.monotonic() - began
        out.seek(0)
        err.seek(0)
        status = p.returncode
        if status in (-signal.SIGKILL, -signal.SIGXCPU):
            status = "no end after %d s" % seconds
        elif status < 0:
            status = "killed by " + signal.Signals(-status).name
        return (status, out.read().decode(errors="replace"), err.read().decode(errors="replace"),
                used.ru_utime + used.ru_stime, wall, used.ru_maxrss)


def is_x86_64(path):
    """An ELF file of the only architecture that there are bounds for."""
    try:
        with open(path, "rb") as f:
            start = f.read(20)
    except OSError:
        return False
    return start[:6] == b"\x7fELF\2\1" and start[18:20] == b"\x3e\0"


def bound(program, policy="tight", options=(), seconds=120):
    """The bound of a program. Failed: there is none."""
    argv = [sysreach(), "bound", "--json", "--policy", policy, *options, program]
    status, out, err, cpu, wall, peak = measured(argv, seconds)
    if status != 0:
        raise Failed(status, err)
    try:
        doc = json.loads(out)
        calls, about = set(doc["calls"]), doc["bound"]
        closed = about["closed"]
    except (ValueError, KeyError, TypeError) as e:
        raise Failed(status, "no JSON of a set: %r: %s" % (e, out[:200])) from e
    return Bound(calls, closed, about, cpu, wall, peak)
