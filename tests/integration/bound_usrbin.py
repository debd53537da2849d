#!/usr/bin/env python3
"""The bound of every program of the machine, and of everything that looks like one.

Without --hostile: the tight bound of every dynamically linked ELF program of /usr/bin and /usr/sbin, as a
table (code bytes, set, unresolved sites, CPU seconds, memory) with totals, and as a plot of time against
code. With --hostile: every ELF file of the machine, libraries, objects, kernel modules and other
architectures among them; a bound or a message (status 0, 2 or 3) is right, a crash or more than ten
seconds of CPU is not.

Usage: bound_usrbin.py [--table FILE] [--svg FILE] [--limit N] [--hostile] [FOLDER...]
"""
import argparse
import collections
import concurrent.futures
import os
import stat
import struct
import sys

import bound_tool

Row = collections.namedtuple("Row", "path objects code calls closed unresolved cpu peak")
HOSTILE_SECONDS = 10
SKIP = ("/proc", "/sys", "/dev", "/run")


def head(path, size=64):
    """The first bytes of an ELF file, b"" for anything else."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return b""
        with open(path, "rb") as f:
            start = f.read(size)
            return start if start.startswith(b"\x7fELF") else b""
    except OSError:
        return b""


def is_dynamic_program(path):
    """x86-64, with an interpreter."""
    start = head(path)
    if len(start) < 64 or not bound_tool.is_x86_64(path):
        return False
    offset, = struct.unpack_from("<Q", start, 32)
    size, n = struct.unpack_from("<HH", start, 54)
    with open(path, "rb") as f:
        f.seek(offset)
        table = f.read(size * n)
    return any(struct.unpack_from("<I", table, i * size)[0] == 3
               for i in range(len(table) // size if size else 0))


def measure(path):
    """A Row; Failed when there is none."""
    got = bound_tool.bound(path, "tight", seconds=300)
    return Row(path, len(got.about["objects"]), got.about["total"]["code_bytes"], len(got.calls),
               got.closed, len(got.about["unresolved"]), got.cpu, got.peak)


def print_table(rows, failed, to):
    print("%-40s %7s %10s %5s %6s %10s %7s %8s" % (
        "program", "objects", "code KB", "calls", "closed", "unresolved", "CPU s", "peak MB"),
        file=to)
    for r in rows:
        print("%-40s %7d %10d %5d %6s %10d %7.2f %8d" % (
            r.path, r.objects, r.code // 1000, r.calls, "yes" if r.closed else "no", r.unresolved,
            r.cpu, r.peak // 1000), file=to)
    for path, why in failed:
        print("%-40s no bound: %s" % (path, why), file=to)
    if rows:
        cpu, code = sum(r.cpu for r in rows), sum(r.code for r in rows)
        print("%d programs, %d closed, %d without a bound; %.0f MB of code in %.0f s of CPU (%.2f s a "
              "MB); at most %.2f s and %d MB" % (
                  len(rows), sum(r.closed for r in rows), len(failed), code / 1e6, cpu,
                  cpu / (code / 1e6) if code else 0, max(r.cpu for r in rows),
                  max(r.peak for r in rows) // 1000), file=to)


def nice_step(top):
    """A step of 1, 2 or 5 times a power of ten that divides top into five to ten."""
    step = 1e-3
    while top / step > 10:
        step *= 2.5 if "%g" % step in ("0.002", "0.02", "0.2", "2", "20", "200") else 2
    return step


def write_svg(rows, path):
    """CPU seconds against megabytes of code, a point a program."""
    width, height, left, low = 720, 440, 60, 50
    xs, ys = max(r.code for r in rows) / 1e6 * 1.05, max(r.cpu for r in rows) * 1.05
    slope = sum(r.cpu for r in rows) / (sum(r.code for r in rows) / 1e6)

    def at(x, y):
        return (left + x / xs * (width - left - 20), height - low - y / ys * (height - low - 30))

    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" '
             'font-size="12">' % (width, height), '<rect width="100%" height="100%" fill="white"/>']
    for top, line in ((xs, "x"), (ys, "y")):
        step, value = nice_step(top), 0.0
        while value <= top:
            (x1, y1), (x2, y2) = (at(value, 0), at(value, ys)) if line == "x" else (
                at(0, value), at(xs, value))
            parts.append('<path d="M%.1f %.1fL%.1f %.1f" stroke="#ddd"/>' % (x1, y1, x2, y2))
            parts.append('<text x="%.1f" y="%.1f" text-anchor="%s">%g</text>' % (
                (x1, y1 + 16, "middle", round(value, 6)) if line == "x"
                else (x1 - 6, y1 + 4, "end", round(value, 6))))
            value += step
    end = min(xs, ys / slope)
    parts.append('<path d="M%.1f %.1fL%.1f %.1f" stroke="#c60"/>' % (*at(0, 0), *at(end, end * slope)))
    for r in rows:
        parts.append('<circle cx="%.1f" cy="%.1f" r="2.5" fill="#06c" fill-opacity="0.5"/>'
                     % at(r.code / 1e6, r.cpu))
    parts += ['<text x="%d" y="%d" text-anchor="middle">MB of code in the closure</text>' % (
                  width / 2, height - 12),
              '<text x="%d" y="18">CPU seconds of sysreach bound, %d programs; the line is their mean, '
              '%.3f s a MB</text>' % (left, len(rows), slope), "</svg>"]
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(parts) + "\n")


def every_program(folders):
    seen, paths = set(), []
    for folder in folders:
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            real = os.path.realpath(path)
            if real not in seen and is_dynamic_program(path):
                seen.add(real)
                paths.append(path)
    return paths


def every_elf(folders):
    for folder in folders:
        device = os.lstat(folder).st_dev
        for base, dirs, names in os.walk(folder):
            dirs[:] = [d for d in dirs if os.path.join(base, d) not in SKIP and
                       os.lstat(os.path.join(base, d)).st_dev == device]
            for name in names:
                path = os.path.join(base, name)
                if head(path):
                    yield path


def hostile(path):
    """"" when sysreach bound behaves; what it says does not matter."""
    status, out, err, cpu, _, peak = bound_tool.measured(
        [bound_tool.sysreach(), "bound", path], HOSTILE_SECONDS)
    if status not in (0, 2, 3):
        return "status %s (%.1f s, %d MB): %s" % (status, cpu, peak // 1000, err[-200:])
    if status and not err.strip():
        return "status %s without a message" % status
    return "" if status or out else "no set and no message"


def run_hostile(folders, limit, pool):
    paths = list(every_elf(folders))[:limit]
    wrong = 0
    for path, said in zip(paths, pool.map(hostile, paths)):
        if said:
            wrong += 1
            print("not ok %s: %s" % (path, said), flush=True)
    print("%d ELF files: %d without crash, hang or silence" % (len(paths), len(paths) - wrong))
    return 0 if paths and not wrong else 1


def attempt(path):
    try:
        return measure(path), None
    except bound_tool.Failed as e:
        return None, (path, str(e))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--table")
    parser.add_argument("--svg")
    parser.add_argument("--limit", type=int, help="only so many files")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--hostile", action="store_true")
    args = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        if args.hostile:
            return run_hostile(args.folders or ["/"], args.limit, pool)
        paths = every_program(args.folders or ["/usr/bin", "/usr/sbin"])[:args.limit]
        done = list(pool.map(attempt, paths))
    rows = [row for row, _ in done if row]
    failed = [problem for _, problem in done if problem]
    if args.table:
        with open(args.table, "w", encoding="utf-8") as f:
            print_table(rows, failed, f)
    else:
        print_table(rows, failed, sys.stdout)
    if args.svg and rows:
        write_svg(rows, args.svg)
    return 0 if rows and not any("killed" in why or "no end" in why for _, why in failed) else 1


if __name__ == "__main__":
    sys.exit(main())
