#!/usr/bin/env python3
"""Per-image sets of system calls out of a log of strace.

The log comes from `strace -f -n -y --pidns-translation -o LOG`: one line an event, a process number
in front, the call's number in brackets. A call counts once, where it was entered; it belongs to the
image that its process ran at that moment. Names come from the kernel's own headers, so neither
strace's nor libseccomp's table of names has a say in a comparison.

Usage: strace_sets.py LOG [--image PATH] [--json] [--cwd DIR]
"""
import argparse
import functools
import json
import os
import re
import subprocess
import sys

ABIS = ("x86_64", "x32", "i386")
PREFIX = {"x86_64": "", "x32": "x32:", "i386": "i386:"}
X32_BIT = 0x40000000
OPTIONS = ["-f", "-n", "-y", "--pidns-translation", "-s", "8"]

LINE = re.compile(r"(\d+) +(?:\[ *(\d+|\?\?\?)\] )?(.*)$", re.S)
ENTRY = re.compile(r"(\w+)\((.*)$", re.S)
RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)$", re.S)
RETURN = re.compile(r"\) += (-?\d+|0x[0-9a-f]+|\?)(?:<[^>]*>)?(?: /\* (\d+) in strace's PID NS \*/)?")
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
UNKNOWN = re.compile(r"syscall_0x([0-9a-f]+)$")
CREATES = ("clone", "clone3", "fork", "vfork")
EXECS = ("execve", "execveat")


class BadLog(Exception):
    """The log holds something that this program does not understand."""


@functools.lru_cache(None)
def header_names(abi):
    """{number: name} of one entry, out of the kernel's headers."""
    header = {"x86_64": "unistd_64.h", "x32": "unistd_x32.h", "i386": "unistd_32.h"}[abi]
    macros = subprocess.run(["gcc", "-E", "-dM", "-D__X32_SYSCALL_BIT=0", "-include",
                             "asm/" + header, "-x", "c", "/dev/null"],
                            check=True, capture_output=True, text=True).stdout
    table = {}
    for name, value in re.findall(r"^#define __NR_(\w+) (.+)$", macros, re.M):
        digits = re.search(r"\d+\)?$", value)
        if digits:
            table[int(digits.group().rstrip(")"))] = name
    return table


def call_name(abi, number):
    """A call as sysreach prints it."""
    return PREFIX[abi] + header_names(abi).get(number, "#%d" % number)


def call_key(name):
    """The (abi, number) of a name that sysreach printed; None where the headers do not know it."""
    abi = "x86_64"
    for a in ("x32", "i386"):
        if name.startswith(PREFIX[a]):
            abi, name = a, name[len(PREFIX[a]):]
    if name.startswith("#"):
        return abi, int(name[1:])
    for number, known in header_names(abi).items():
        if known == name:
            return abi, number
    return None


def unescape(text):
    """The bytes of a string as strace quotes it, as a file name."""
    plain = re.sub(rb"\\(x[0-9a-f]{2}|[0-7]{1,3}|.)",
                   lambda m: (bytes([int(m[1][1:], 16)]) if m[1][:1] == b"x" and len(m[1]) > 1
                              else bytes([int(m[1], 8)]) if m[1][:1].isdigit()
                              else {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v",
                                    b"f": b"\f"}.get(m[1], m[1])),
                   text.encode("utf-8", "surrogateescape"))
    return os.fsdecode(plain)


def running_file(path, depth=0):
    """What /proc/PID/exe names after an exec of path: scripts run their interpreter."""
    path = os.path.realpath(path)
    try:
        with open(path, "rb") as f:
            head = f.read(256)
    except OSError:
        return path
    words = head[2:].split(b"\n")[0].split() if head.startswith(b"#!") else []
    if words and depth < 5:
        return running_file(os.fsdecode(words[0]), depth + 1)
    return path


@functools.lru_cache(None)
def file_abi(path):
    """The entry that a file's own code takes: its ELF class."""
    try:
        with open(path, "rb") as f:
            return "i386" if f.read(5) == b"\x7fELF\x01" else "x86_64"
    except OSError:
        return "x86_64"


class Process:
    """A thread group: its image and its working directory."""

    def __init__(self, image, cwd):
        self.image = image
        self.cwd = cwd


class Log:
    """Reads the whole log; sets is {image: {(abi, number)}} afterwards."""

    def __init__(self, lines, cwd):
        self.sets = {}
        self.tasks = {}    # task -> Process
        self.entered = {}  # task -> (name, arguments so far) of a call not yet returned
        self.snapshot = {} # line of a clone's entry -> (image, cwd) then
        self.dead = set()
        self.first_exec = True
        self.lines = [self.split(line) for line in lines if line.strip()]
        self.births = self.find_births()
        self.cwd = cwd
        for index, (task, number, text) in enumerate(self.lines):
            self.event(index, task, number, text)

    @staticmethod
    def split(line):
        m = LINE.match(line.rstrip("\n"))
        if not m:
            raise BadLog("no process number: " + line)
        return int(m[1]), m[2], m[3]

    def find_births(self):
        """child -> [(line of entry, line of return, parent, flags)]; a child's own lines may come
        before the line that says that it was made."""
        births, entered = {}, {}
        for index, (task, _, text) in enumerate(self.lines):
            m = ENTRY.match(text)
            r = RESUMED.match(text)
            if m and m[1] in CREATES:
                entered[task] = (index, m[2])
            elif not (r and r[1] in CREATES and task in entered):
                continue
            start, arguments = entered[task]
            done = RETURN.search(text)
            if done and done[1] != "?" and int(done[1], 0) > 0:
                child = int(done[2] or done[1], 0)
                births.setdefault(child, []).append((start, index, task, arguments + text))
        return births

    def process(self, task, index):
        if task in self.tasks and task not in self.dead:
            return self.tasks[task]
        if not self.tasks:
            self.tasks[task] = Process(None, self.cwd)
            return self.tasks[task]
        for birth in self.births.get(task, []):
            start, _, parent, flags = birth
            if start < index:
                self.births[task].remove(birth)
                if "CLONE_THREAD" in flags:
                    self.tasks[task] = self.tasks[parent]
                else:
                    self.tasks[task] = Process(*self.snapshot[start])
                self.dead.discard(task)
                return self.tasks[task]
        raise BadLog("line %d: nobody made process %d" % (index + 1, task))

    def event(self, index, task, number, text):
        if text.startswith("+++ superseded by execve"):
            return  # the same number goes on, with the image that execve's return will give
        if text.startswith("+++"):
            self.dead.add(task)
            return
        if text.startswith(("---", "strace: ")):
            return
        process = self.process(task, index)
        resumed = RESUMED.match(text)
        if resumed:
            self.resumed(task, process, resumed[1], resumed[2])
            return
        m = ENTRY.match(text)
        if not m:
            raise BadLog("line %d: %s" % (index + 1, text))
        name, rest = m[1], m[2]
        if name in CREATES:
            self.snapshot[index] = (process.image, process.cwd)
        if process.image is None:
            if name not in EXECS:
                raise BadLog("line %d: the log does not begin with an exec" % (index + 1))
            process.image = self.exec_image(process, name, rest)
        self.sets.setdefault(process.image, set()).add(self.call(process.image, number, name))
        # Of a call that other lines interrupt, execs and changes of directory are needed later.
        if rest.endswith("<unfinished ...>"):
            self.entered[task] = (name, rest)
        else:
            self.returned(process, name, rest, RETURN.findall(rest))

    def resumed(self, task, process, name, rest):
        arguments = self.entered.pop(task, (name, ""))[1]
        if name in EXECS:
            # The leader's number takes over a call that another thread of the process began.
            if not arguments.count('"'):
                for other, (n, a) in list(self.entered.items()):
                    if n in EXECS and self.tasks[other] is process:
                        arguments = a
                        del self.entered[other]
        self.returned(process, name, arguments, RETURN.findall(rest))

    def returned(self, process, name, arguments, result):
        if not result or result[-1][0] != "0":
            return
        if name in EXECS:
            process.image = self.exec_image(process, name, arguments)
        elif name == "chdir":
            process.cwd = self.resolve(process.cwd, unescape(STRING.match(arguments)[1]))
        elif name == "fchdir":
            process.cwd = unescape(re.match(r"\d+<(.*?)>", arguments)[1])

    @staticmethod
    def resolve(base, path):
        return os.path.realpath(os.path.join(base, path))

    def exec_image(self, process, name, arguments):
        base = process.cwd
        if name == "execveat":
            m = re.match(r"(AT_FDCWD|\d+)(?:<(.*?)>)?, ", arguments)
            if m[2]:
                base = unescape(m[2])
            arguments = arguments[m.end():]
        path = unescape(STRING.match(arguments)[1])
        if re.fullmatch(r"/proc/(self|thread-self|\d+)/exe", path):
            return process.image
        if path.startswith(("/proc/self/fd/", "/dev/fd/")):
            raise BadLog("cannot say which file %s was" % path)
        return running_file(os.path.join(base, path) if path else base)

    @staticmethod
    def call(image, number, name):
        unknown = UNKNOWN.match(name)
        if number == "???" and unknown:
            value = int(unknown[1], 16) & 0xffffffff
            value = value - (1 << 32) if value >> 31 else value
        elif number and number != "???":
            value = int(number)
        else:
            raise BadLog("no call numbers: strace needs -n")
        if X32_BIT <= value < X32_BIT + 1024:
            return "x32", value - X32_BIT
        # The log does not say which entry it was. The name does, as the two tables have no number
        # in common for one name below 424; above that the kind of file decides.
        fits = [abi for abi in ("x86_64", "i386") if header_names(abi).get(value) == name]
        return (fits[0] if len(fits) == 1 else file_abi(image)), value


def sets_of_log(path, cwd=None):
    """{image: {(abi, number)}} of a log; cwd: where the command was started."""
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        return Log(f.readlines(), os.path.realpath(cwd or os.getcwd())).sets


def sets_of_json(document):
    """The same of what `sysreach trace --json` prints."""
    sets = {}
    for image in document["images"]:
        calls = set()
        for name in image["calls"]:
            key = call_key(name)
            calls.add(key if key else ("unknown name", name))
        if calls:
            sets.setdefault(image["path"], set()).update(calls)
    return sets


def show(key):
    return call_name(*key) if key[0] in ABIS else "%s (not in the headers)" % key[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("log")
    parser.add_argument("--image", help="only this image")
    parser.add_argument("--cwd", help="where the traced command was started")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        sets = sets_of_log(args.log, args.cwd)
    except (BadLog, OSError) as e:
        print("strace_sets: %s: %s" % (args.log, e), file=sys.stderr)
        return 2
    if args.image:
        sets = {args.image: sets.get(args.image, set())}
    if args.json:
        json.dump({"images": [{"path": p, "calls": sorted(show(c) for c in calls)}
                              for p, calls in sets.items()]}, sys.stdout, indent=1)
        print()
        return 0
    for path, calls in sets.items():
        print("# image: %s\n# calls: %s" % (path, " ".join(sorted(show(c) for c in calls))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
