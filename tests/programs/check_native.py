#!/usr/bin/env python3
"""Checks the tiny programs themselves, with strace and without any part of sysreach.

For each program of TABLE: its trigger scenario must make the hidden call, its neutral one must not.
The scenarios are applied by the few lines below, which know just what these scenarios need; so a
mistake of sysreach's own parser cannot hide one of the programs.

Usage: check_native.py PROGRAMS [NAME...]     PROGRAMS: what build.sh made
       check_native.py --apply WORK           (its own second half, under strace)
"""
import fcntl
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
import strace_sets  # noqa: E402

SECONDS = 20


def text_of(line):
    plain = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"e": b"\x1b", b"\\": b"\\"}
    return re.sub(rb"\\(x[0-9a-fA-F]{2}|.)",
                  lambda m: bytes([int(m[1][1:], 16)]) if len(m[1]) == 3
                  else plain.get(m[1], m[0]), line)


def parse(path):
    s = {"args": [], "env": {}, "stdio": ["null", "pipe", "pipe"], "nodes": [], "limits": {},
         "signals": [], "cwd": ".", "umask": 0o022, "argv0": None, "input": b""}
    content = None
    with open(path, "rb") as f:
        for raw in f.read().split(b"\n"):
            m = re.match(rb"(?:\*(\d+))?([|+])(.*)$", raw)
            if m:
                content += (text_of(m[3]) + b"\n" * (m[2] == b"|")) * int(m[1] or 1)
                continue
            word, _, rest = raw.partition(b" ")
            word, rest = word.decode(), text_of(rest).decode()
            if word == "arg":
                s["args"].append(rest)
            elif word == "argv0":
                s["argv0"] = rest
            elif word == "env":
                name, _, value = rest.partition("=")
                s["env"][name] = value
            elif word in ("stdin", "stdout", "stderr"):
                s["stdio"][("stdin", "stdout", "stderr").index(word)] = rest
                content = bytearray()
                if word == "stdin":
                    s["input"] = content
            elif word in ("file", "dir", "symlink", "fifo"):
                name, *more = rest.split()
                options = dict(o.split("=") for o in more if "=" in o)
                content = bytearray()
                s["nodes"].append((word, name, more[0] if word == "symlink" else None, options,
                                   content))
            elif word == "limit":
                name, value = rest.split()
                unit = {"k": 10, "M": 20, "G": 30}.get(value[-1], 0)
                s["limits"][name] = int(value[:-1]) << unit if unit else int(value)
            elif word == "signal":
                name, _, count = rest.split()
                s["signals"].append((name, int(count)))
            elif word in ("cwd", "umask"):
                s[word] = int(rest, 8) if word == "umask" else rest
            elif word not in ("", "#", "time"):
                raise SystemExit("%s: %s is not known here" % (path, word))
    return s


def feed(path, content):
    with open(path, "wb") as f:
        f.write(content)


def make_tree(top, nodes):
    for kind, name, target, options, content in nodes:
        path = os.path.join(top, name)
        os.makedirs(path if kind == "dir" else os.path.dirname(path), exist_ok=True)
        if kind == "symlink":
            os.symlink(target, path)
            continue
        if kind == "fifo":
            os.mkfifo(path)
            threading.Thread(target=feed, args=(path, bytes(content)), daemon=True).start()
        elif kind == "file":
            feed(path, content)
            if "size" in options:
                os.truncate(path, int(options["size"]))
        if "mode" in options:
            os.chmod(path, int(options["mode"], 8))
        if "mtime" in options:
            os.utime(path, (int(options["mtime"]), int(options["mtime"])))


def make_stdio(s, work):
    """[descriptor or None] for 0 to 2, and what has to stay open meanwhile."""
    fds, keep = [], []
    for i, kind in enumerate(s["stdio"]):
        if kind == "closed":
            fds.append(None)
        elif kind in ("null", "full"):
            fds.append(os.open("/dev/" + kind, os.O_RDWR))
        elif kind == "file":
            path = os.path.join(work, "stdio%d" % i)
            feed(path, s["input"] if i == 0 else b"")
            fds.append(os.open(path, os.O_RDWR))
        elif kind == "pipe":
            r, w = os.pipe()
            if i == 0:
                os.write(w, s["input"])
                os.close(w)
            keep += [] if i == 0 else [r]
            fds.append(r if i == 0 else w)
        elif kind == "pty":
            master, slave = os.openpty()
            if i == 0:
                os.write(master, bytes(s["input"]) + b"\x04")
            keep.append(master)
            fds.append(slave)
    return fds, keep


def apply(work):
    """Under strace: becomes the program, as the scenario wants it."""
    with open(os.path.join(work, "plan"), encoding="utf-8") as f:
        plan = json.load(f)
    os.chdir(os.path.join(work, "tree", plan["cwd"]))
    os.umask(plan["umask"])
    for i, fd in enumerate(plan["fds"]):
        if fd is None:
            os.close(i)
        else:
            os.dup2(fd, i)
            if plan["stdio"][i] == "pty":
                try:
                    fcntl.ioctl(i, termios.TIOCSCTTY, 0)
                except OSError:
                    pass  # the session has its terminal already
    os.closerange(3, 256)
    for number in range(1, signal.NSIG):
        if number not in (signal.SIGKILL, signal.SIGSTOP) and not 32 <= number <= 33:
            signal.signal(number, signal.SIG_DFL)
    for name, value in plan["limits"].items():
        resource.setrlimit(getattr(resource, "RLIMIT_" + name.upper()), (value, value))
    os.execve(plan["program"], [plan["argv0"] or plan["program"]] + plan["args"], plan["env"])


def calls_of(program, scenario):
    """Names of the calls that the program, and what it runs, makes."""
    s = parse(scenario)
    with tempfile.TemporaryDirectory(prefix="check-native-") as work:
        work = os.path.realpath(work)
        tree, log = os.path.join(work, "tree"), os.path.join(work, "log")
        os.mkdir(tree)
        make_tree(tree, s["nodes"])
        fds, keep = make_stdio(s, work)
        plan = {k: s[k] for k in ("args", "env", "stdio", "limits", "cwd", "umask", "argv0")}
        with open(os.path.join(work, "plan"), "w", encoding="utf-8") as f:
            json.dump(dict(plan, program=program, fds=fds), f)
        # Only the program that waits for signals makes getppid, so that is where they go.
        inject = ["--inject=getppid:signal=%s:when=%d" % x for x in s["signals"]]
        p = subprocess.Popen(["strace"] + strace_sets.OPTIONS + inject +
                             ["-o", log, "--", sys.executable, __file__, "--apply", work],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             start_new_session=True, pass_fds=[fd for fd in fds if fd is not None])
        try:
            p.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()
        for fd in keep + [fd for fd in fds if fd is not None]:
            os.close(fd)
        sets = strace_sets.sets_of_log(log, tree)
    sets.pop(os.path.realpath(sys.executable))
    return {strace_sets.show(call) for calls in sets.values() for call in calls}


def main():
    if sys.argv[1:2] == ["--apply"]:
        apply(sys.argv[2])
    if len(sys.argv) < 2 or not shutil.which("strace"):
        print(__doc__ if shutil.which("strace") else "check_native: strace is not installed",
              file=sys.stderr)
        return 2
    programs, only = os.path.realpath(sys.argv[1]), sys.argv[2:]
    good = total = 0
    with open(os.path.join(HERE, "TABLE"), encoding="utf-8") as f:
        rows = [line.split(None, 3) for line in f if line.strip() and not line.startswith("#")]
    for name, call, _, _ in rows:
        if only and name not in only:
            continue
        total += 1
        made = {kind: call in calls_of(os.path.join(programs, name),
                                       os.path.join(HERE, "%s.%s.scn" % (name, kind)))
                for kind in ("trigger", "neutral")}
        fine = made["trigger"] and not made["neutral"]
        good += fine
        if not fine:
            print("%s: %s: with the trigger %s, without it %s" %
                  (name, call, "made" if made["trigger"] else "NOT made",
                   "MADE" if made["neutral"] else "not made"))
    print("%d of %d programs hide their call" % (good, total))
    return 0 if good == total and total else 1


if __name__ == "__main__":
    sys.exit(main())
