#!/usr/bin/env python3
"""Short campaigns on ssh and sshd, as this user and (as root) as an ordinary user too, and what must hold of
them: every call of the reference is observed or named with a reason, what is observed lies within the
tight bound, the server's roles are told apart, witnesses replay, nothing is left running, and the
campaign can be resumed.

Usage: openssh.py [-t TIME] [-p quick|full] [TARGET...]    needs SYSREACH (default build/sysreach)
By hand, for the figures in results/openssh.md: openssh.py -t 10m -p full
Exits with 77 where the programs or a sandbox are missing.
"""
import argparse
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SYSREACH = os.path.abspath(os.environ.get("SYSREACH", os.path.join(HERE, "../../build/sysreach")))
ROLES = {"ssh": {"client"}, "sshd": {"preauth", "monitor", "session", "listener"}}
STEADY = 9
failures = []


def check(what, ok, detail=""):
    print(("ok " if ok else "not ok ") + what + (": " + str(detail) if detail and not ok else ""))
    if not ok:
        failures.append(what)


def run(user, *words):
    command = [SYSREACH, *words]
    if user:
        command = ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups",
                   "env", "-i", "HOME=/", "PATH=" + os.environ["PATH"]] + command
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd="/")


def left_behind(folder):
    """Processes whose command line names this campaign."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                if folder.encode() in f.read() and int(pid) != os.getpid():
                    found.append(pid)
        except OSError:
            pass
    return found


def row(who, target, report):
    image = report["images"][0]
    depths = "  ".join("%s %d (%.0f/s)" % (d["depth"], d["inputs"], d["inputs_per_second"])
                       for d in report["depths"])
    print("    %-5s %-8s %3d calls: seeds %d, fuzzing %d beyond (%s); inputs: %s" %
          (target, who, len(image["observed"]), len(image["seeds"]), len(image["added"]),
           " ".join(image["added"]) or "none", depths))


def look_at(who, user, target, folder):
    name = "%s as %s: " % (target, who)
    got = run(user, "report", "--json", folder)
    check(name + "a report", got.returncode == 0, got.stderr)
    if got.returncode:
        return
    report = json.loads(got.stdout)
    row(who, target, report)
    missing, reasons = report["reference"]["only_reference"], report["reference"]["reasons"]
    check(name + "the reference is observed, or what is missing is named with a reason",
          all(reasons.get(c) for c in missing), missing)
    for call in missing:
        print("    not observed of the reference: %s (%s)" % (call, reasons.get(call)))
    check(name + "observed lies within the tight bound", not report["bound"]["violations"],
          report["bound"]["violations"])
    roles = {r["name"] for image in report["images"] for r in image.get("roles", [])}
    check(name + "roles are told apart", ROLES[target] <= roles, sorted(roles))
    program = report["images"][0]["path"]
    replayed = [d for d in report["discoveries"] if d["image"] == program and d.get("replays")]
    steady = [d for d in replayed if d["replayed"] >= STEADY]
    print("    %d of %d replayed calls made again in %d of 10 runs and more" % (len(steady), len(replayed), STEADY))
    check(name + "witnesses replay", replayed and len(steady) >= 0.9 * len(replayed),
          [d["call"] for d in replayed if d not in steady])


def campaign(who, user, target, work, args):
    folder = os.path.join(work, target + "-" + who)
    name = "%s as %s: " % (target, who)
    got = run(user, "fuzz", "-s", "1", "-t", args.time, "-p", args.profile, "-o", folder, target)
    check(name + "a campaign of " + args.time, got.returncode == 0, got.stderr[-600:])
    if got.returncode:
        return
    look_at(who, user, target, folder)
    check(name + "nothing is left running", not left_behind(folder), left_behind(folder))
    got = run(user, "fuzz", "-E", "1", "-t", "60s", "--resume", folder)
    check(name + "it can be resumed", got.returncode == 0, got.stderr[-600:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("-t", dest="time", default="15s")
    parser.add_argument("-p", dest="profile", default="quick")
    parser.add_argument("targets", nargs="*", default=["ssh", "sshd"])
    args = parser.parse_args()
    for program in ("/usr/bin/ssh", "/usr/sbin/sshd", "bwrap"):
        if not shutil.which(program):
            print("%s is not here; harness/deps.sh ssh installs what is missing" % program)
            return 77
    work = tempfile.mkdtemp(prefix="sysreach-openssh-", dir="/var/tmp")
    os.chmod(work, 0o777)
    try:
        users = [("root" if os.geteuid() == 0 else "user", None)]
        if os.geteuid() == 0:
            users.append(("user", pwd.getpwnam("nobody")))
        for who, user in users:
            for target in args.targets:
                campaign(who, user, target, work, args)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print("%d failed" % len(failures) if failures else "all as it should be")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
