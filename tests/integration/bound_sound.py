#!/usr/bin/env python3
"""Holds what real commands do against the bounds of the programs that take part in them.

Each command of bound_programs.txt runs under `sysreach trace`; for each image of the trace the calls
that were observed have to be in its tight bound, and that in its sound bound. The trace also says which
modules were loaded (--observed). A launch's execve, a kernel's restart_syscall and a handler's
rt_sigreturn are not the program's own and are counted as explained where the bound lacks them.

Usage: bound_sound.py [--only TEXT] [--quick] [--table FILE]
  --quick    only the commands that are marked so
  --table    one line a program: sites, bounds, observed, precision, F1
"""
import argparse
import collections
import concurrent.futures
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

import bound_tool
import trace_compare

EXPLAINED = {"execve", "restart_syscall", "rt_sigreturn"}
SOURCES = os.path.join(bound_tool.TOP, "tests", "bound")
CXX = """#include <algorithm>
#include <fstream>
#include <future>
#include <iostream>
#include <map>
#include <random>
#include <regex>
#include <stdexcept>
#include <string>
#include <thread>
int main(int argc, char **argv) {
    std::map<std::string, int> m;
    for (std::string s; std::getline(std::cin, s);)
        m[s]++;
    std::regex r("[0-9]+");
    auto f = std::async(std::launch::async, [&] { return std::regex_match(argv[argc - 1], r); });
    std::thread([] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }).join();
    std::ofstream("written") << m.size() << f.get() << std::endl;
    try {
        std::string().at(std::stoul(argv[argc - 1]));
    } catch (const std::out_of_range &e) {
        std::cerr << e.what() << std::endl;
    }
    std::locale::global(std::locale("C"));
    return std::random_device()() == 1;
}
"""
Image = collections.namedtuple("Image", "path calls objects command file")


class Place:
    """Where the commands run: trace_compare's template, and what is built for this test."""

    def __init__(self, base):
        self.base = base
        trace_compare.make_template(base)
        self.bench = trace_compare.Bench(base, bound_tool.sysreach())
        self.bin = os.path.join(base, "bin")
        self.keys = os.path.join(base, "keys")
        self.n = 0
        self.build()
        self.make_keys()
        os.makedirs(os.path.join(base, "template", "gnupg"), mode=0o700)
        # Debian's service makes this folder, without which sshd does not run.
        self.made = os.geteuid() == 0 and not os.path.exists("/run/sshd")
        if self.made:
            os.mkdir("/run/sshd", mode=0o755)

    def close(self):
        if self.made:
            os.rmdir("/run/sshd")

    def build(self):
        os.makedirs(self.bin)
        cxx = os.path.join(self.base, "cxx.cc")
        with open(cxx, "w", encoding="utf-8") as f:
            f.write(CXX)
        for compiler, name, source, options in (
                ("g++", "cxx", cxx, ["-O2", "-pthread"]),
                ("g++", "cxx_static", cxx, ["-O2", "-static"]),
                ("gcc", "table_static", "table_libc.c", ["-static"]),
                ("gcc", "table_static_pie", "table_libc.c", ["-static-pie"]),
                ("gcc", "children", "children.c", ["-O2"]),
                ("gcc", "cancel", "cancel.c", ["-O2", "-pthread"]),
                ("gcc", "pointer_table", "pointer_table.c",
                 ["-fno-pie", "-static", "-nostdlib"]),
                ("musl-gcc", "table_musl", "table_libc.c", ["-static"]),
                ("musl-gcc", "thread_musl", "thread.c", ["-O2"])):
            if shutil.which(compiler):
                subprocess.run([compiler, "-D_GNU_SOURCE", "-w", *options, "-o",
                                os.path.join(self.bin, name), os.path.join(SOURCES, source)],
                               check=True)

    def make_keys(self):
        os.makedirs(self.keys, mode=0o700)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f",
                            os.path.join(self.keys, name)], check=True)
        shutil.copy(os.path.join(self.keys, "user.pub"), os.path.join(self.keys, "authorized"))
        with open(os.path.join(self.keys, "sshd_config"), "w", encoding="utf-8") as f:
            f.write("HostKey %s/host\nAuthorizedKeysFile %s/authorized\nStrictModes no\n"
                    "UsePAM yes\nPermitRootLogin yes\nPidFile none\nLogLevel ERROR\n"
                    % (self.keys, self.keys))

    def argv(self, command):
        return shlex.split(command.text.replace("%B", self.bin).replace("%K", self.keys))

    def trace(self, command):
        """The images of a run under sysreach trace."""
        self.n += 1
        self.bench.out = os.path.join(self.base, "trace-%d.json" % self.n)
        result = self.bench.run([self.bench.sysreach, "trace", "--json", "-o", self.bench.out,
                                 "--", *self.argv(command)])
        try:
            with open(self.bench.out, encoding="utf-8") as f:
                document = json.load(f)
        except (OSError, ValueError) as e:
            raise bound_tool.Failed(result.status, "no trace: %s: %s" % (
                e, result.err.decode(errors="replace"))) from e
        # ldd asks the loader of 32-bit programs as well.
        return [Image(i["path"], set(i["calls"]) | set(i.get("startup", ())),
                      tuple(sorted(i.get("objects", ()))), command.text, self.bench.out)
                for i in document["images"] if i["calls"] and bound_tool.is_x86_64(i["path"])]


def runnable(commands, only=None, flag=None):
    """(the commands that can run here, what cannot)"""
    able, not_able = [], []
    for c in commands:
        if (only and only not in c.text) or (flag and flag not in c.flags):
            continue
        absent = [n for n in c.needs if not shutil.which(
            n, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")]
        if absent or ("root" in c.flags and os.geteuid() != 0):
            not_able.append("%s: %s" % (c.text, ", ".join(absent) + " not there" if absent
                                        else "needs root"))
        else:
            able.append(c)
    return able, not_able


class Bounds:
    """Both bounds of an image with the modules that it loaded; each is computed once."""

    def __init__(self, pool):
        self.pool = pool
        self.jobs = {}

    def want(self, image):
        key = (image.path, image.objects)
        if key not in self.jobs:
            self.jobs[key] = [self.pool.submit(bound_tool.bound, image.path, policy,
                                               ["--observed", image.file])
                              for policy in ("tight", "sound")]
        return self.jobs[key]

    def get(self, image):
        return [job.result() for job in self.want(image)]


def sites(bound):
    """Sites in the closure; reachable ones."""
    total = bound.about["total"]
    return total["sites"], total["reachable_sites"]


def judge(image, bounds, table):
    """(line, right)"""
    try:
        tight, sound = bounds.get(image)
    except bound_tool.Failed as e:
        return "  %s: no bound: %s" % (image.path, e), False
    explained = (image.calls & EXPLAINED) - tight.calls
    violations = image.calls - tight.calls - explained
    outside = tight.calls - sound.calls
    line = "  %s: observed %d, tight %d, sound %d, %s" % (
        image.path, len(image.calls), len(tight.calls), len(sound.calls),
        "closed" if tight.closed else "not closed")
    if explained:
        line += "; explained: " + " ".join(sorted(explained))
    if violations:
        # A site whose number is not known may be what made the call.
        line += "; NOT IN TIGHT: " + " ".join(sorted(violations))
        line += "" if violations & sound.calls else " (nor in sound)"
    if outside:
        line += "; TIGHT BUT NOT SOUND: " + " ".join(sorted(outside))
    row = table.setdefault(image.path, [tight, sound, set()])
    row[2] |= image.calls - EXPLAINED
    if len(tight.calls) > len(row[0].calls):
        row[:2] = tight, sound
    return line, not violations and not outside


def trace_all(place, commands, bounds):
    """[(command, images, problem)]"""
    traced = []
    for command in commands:
        try:
            images = place.trace(command)
            traced.append((command, images, None))
            jobs = [job for image in images for job in bounds.want(image)]
            # What lies in the working folder is gone when the next command runs.
            if any(i.path.startswith(place.bench.place) for i in images):
                concurrent.futures.wait(jobs)
        except bound_tool.Failed as e:
            traced.append((command, [], e))
    return traced


def write_table(table, to):
    print("%-44s %6s %6s %6s %6s %6s %8s %9s %6s" % (
        "program", "sites", "reach.", "sound", "tight", "closed", "observed", "precision", "F1"),
        file=to)
    precisions, scores = [], []
    for path in sorted(table):
        tight, sound, seen = table[path]
        hit = len(seen & tight.calls)
        precision = hit / len(tight.calls) if tight.calls else 0
        recall = hit / len(seen) if seen else 1
        f1 = 2 * precision * recall / (precision + recall) if hit else 0
        precisions.append(precision)
        scores.append(f1)
        print("%-44s %6d %6d %6d %6d %6s %8d %9.2f %6.2f" % (
            path, *sites(tight), len(sound.calls), len(tight.calls),
            "yes" if tight.closed else "no", len(seen), precision, f1), file=to)
    if table:
        print("%-44s mean precision %.3f, mean F1 %.3f" % (
            "%d programs" % len(table), sum(precisions) / len(table), sum(scores) / len(table)),
            file=to)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", help="commands that hold this text")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--table", help="write the table to this file")
    args = parser.parse_args()
    commands, skipped = runnable(
        trace_compare.read_commands(os.path.join(bound_tool.HERE, "bound_programs.txt")),
        args.only, "quick" if args.quick else None)
    right = total = broken = 0
    table = {}
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="bound-sound-") as base, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        os.chmod(base, 0o755)
        place = Place(os.path.realpath(base))
        try:
            bounds = Bounds(pool)
            traced = trace_all(place, commands, bounds)
        finally:
            place.close()
        for command, images, problem in traced:
            print(command.text if len(command.text) < 100 else command.text[:97] + "...")
            if problem or not images:
                broken += 1
                print("  NOT TRACED: %s" % (problem or "no image"))
            for image in images:
                line, ok = judge(image, bounds, table)
                total += 1
                right += ok
                print(line, flush=True)
        for line in skipped:
            print("skipped: " + line)
        if args.table:
            with open(args.table, "w", encoding="utf-8") as f:
                write_table({("BUILT/" + os.path.basename(p) if p.startswith(place.base) else p): t
                             for p, t in table.items()}, f)
        else:
            write_table(table, sys.stdout)
    print("%d of %d images of %d commands within their bounds; %d commands not traced, %d skipped" % (
        right, total, len(commands), broken, len(skipped)))
    if os.environ.get("MUST_WORK") == "1" and skipped:
        print("MUST_WORK=1: %d commands were skipped" % len(skipped), file=sys.stderr)
        return 1
    return 0 if right == total and total and not broken else 1


if __name__ == "__main__":
    sys.exit(main())
