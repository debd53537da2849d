#!/usr/bin/env python3
"""What `sysreach bound` costs, as a ratio to the least that any analysis of the same code could cost.

The floor (decode_floor) maps the same objects and decodes the bytes of their executable segments once.
Both are fresh processes on one processor, in turns, with the files in the page cache. Printed: medians of CPU
time and of the rounds' ratios, with the ratios' range, and the most memory.

Usage: bound_bench.py [ROUNDS] [PROGRAM...]      needs B (the build folder, default build)
"""
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

B = os.path.abspath(os.environ.get("B", "build"))
SYSREACH = os.path.join(B, "sysreach")
FLOOR = os.path.join(B, "decode_floor")
PROGRAMS = ["diff", "ssh", "sshd"]


def run(argv):
    """(stdout, CPU seconds, peak KiB) of a process; SystemExit when it fails."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, used = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        if p.returncode:
            err.seek(0)
            sys.exit("bound_bench: %s: status %d: %s" % (" ".join(argv), p.returncode,
                                                         err.read().decode(errors="replace")))
        out.seek(0)
        return out.read().decode(), used.ru_utime + used.ru_stime, used.ru_maxrss


def objects(program):
    """The files of a program's closure, the program among them."""
    lines = run([SYSREACH, "bound", "--policy", "tight", program])[0].splitlines()
    return sorted({os.path.realpath(program)} | {line.split(": ", 1)[1] for line in lines
                                                 if line.startswith("# object: ")})


def measure(program, rounds):
    files = objects(program)
    floors, sums, peaks = [], {"tight": [], "sound": []}, {"tight": 0, "sound": 0}
    code = instructions = 0
    for _ in range(rounds):
        out, cpu, _ = run([FLOOR, *files])
        code, instructions = (int(n) for n in out.split()[:2])
        floors.append(cpu)
        for policy, seconds in sums.items():
            _, cpu, peak = run([SYSREACH, "bound", "--policy", policy, program])
            seconds.append(cpu)
            peaks[policy] = max(peaks[policy], peak)
    print("%s: %d objects, %.2f MB of code, %d instructions; floor %.3f s" % (
        os.path.basename(program), len(files), code / 1e6, instructions,
        statistics.median(floors)))
    for policy, seconds in sums.items():
        ratios = [s / f for s, f in zip(seconds, floors)]
        print("  %-5s  %.3f s CPU, %.0f MiB, %6.2f times the floor  (%.2f to %.2f over %d rounds)" % (
            policy, statistics.median(seconds), peaks[policy] / 1024, statistics.median(ratios),
            min(ratios), max(ratios), rounds), flush=True)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in sys.argv[2:] or PROGRAMS:
        program = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
        if program:
            measure(program, rounds)
        else:
            print("%s: not installed" % name)


if __name__ == "__main__":
    main()
