#!/usr/bin/env python3
"""How many mutated configurations the real parsers take.

Mutates the seeds of ssh and sshd as afl-fuzz would, takes the configuration files out of the results
and asks `ssh -G` and `sshd -t` about each, contained and without a network. Unchanged files count
too: a queue is full of them. Fails below 70 %.

    config_accept.py [N]        N inputs a program, default 1500
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

BAR = 0.70
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("B", "build")
DRIVER = os.path.join(BUILD, "config_mutate")
PROGRAMS = {
    "ssh": ("ssh", "@(*ssh_config|config|*.conf)", "file config\n|Host *\n|Port 22\n|User alice\n"),
    "sshd": ("/usr/sbin/sshd", "@(sshd_config*|*sshd_config|*.conf)",
             "file sshd_config\n|Port 22\n|UsePAM no\n|Match User alice\n|X11Forwarding no\n"),
}
# Told apart by what is said: a file may be right and its host keys missing here.
ASK = {
    "ssh": 'ssh -G -F "$f" x',
    "sshd": '/usr/sbin/sshd -t -h /tmp/key -f "$f"',
}
LOOP = """
ssh-keygen -q -t ed25519 -N '' -f /tmp/key
for f in /tmp/in/*; do
    printf '== '
    if out=$(timeout 5 %s 2>&1 </dev/null); then echo yes; else printf 'no '; echo "$out" | tail -n 1; fi
done
"""


def skip(why):
    if os.environ.get("MUST_WORK"):
        sys.exit(f"config_accept: {why}, and MUST_WORK is set")
    print(f"SKIP config_accept: {why}")
    sys.exit(0)


def is_mistake_elsewhere(said):
    """Not the parser: what the file names is not there."""
    return re.search(r"no hostkeys available|Privilege separation user|Could not resolve host", said)


def measure(name, count, folder):
    program, pattern, own = PROGRAMS[name]
    path = shutil.which(program)
    if not path:
        skip(f"{name} is not installed")
    target = os.path.join(folder, name)
    with open(target, "w", encoding="utf-8") as f:
        f.write(f"program {path}\n")
        f.flush()
        grammar = os.path.join(TOP, "harness/targets/openssh-grammar")
        subprocess.run([grammar, path], stdout=f, check=True)
    seeds = []
    for seed in sorted(glob.glob(os.path.join(TOP, "seeds", name, "*.scn"))):
        with open(seed, "rb") as f:
            if re.search(rb"^file \S*(config|\.conf)\b", f.read(), re.M):
                seeds.append(seed)
    if not seeds:
        seeds = [os.path.join(folder, "own.scn")]
        with open(seeds[0], "w", encoding="utf-8") as f:
            f.write(own)
    rates = {}
    for what, n in (("as they are", 0), ("mutated", count)):
        out = os.path.join(folder, f"{name}.{what}")
        os.mkdir(out)
        command = [DRIVER, str(n), "1", out, pattern, *seeds]
        subprocess.run(command, env=dict(os.environ, SYSREACH_TARGET=target), check=True)
        rates[what] = ask(name, out)
    return rates


def ask(name, folder):
    box = ["bwrap", "--unshare-net", "--unshare-pid", "--die-with-parent", "--ro-bind", "/", "/",
           "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run",
           "--perms", "0755", "--dir", "/run/sshd", "--ro-bind", folder, "/tmp/in",
           "--chdir", "/tmp", "sh", "-c", LOOP % ASK[name]]
    out = subprocess.run(box, stdout=subprocess.PIPE, errors="replace", check=True).stdout
    answers = re.findall(r"^== (yes|no)(?: (.*))?$", out, re.M)
    said = {}
    good = 0
    for yes, why in answers:
        if yes == "yes" or is_mistake_elsewhere(why):
            good += 1
        else:
            why = re.sub(r"/tmp/in/\d+:? (line \d+:?)?|'[^']*'|\"[^\"]*\"", "", why)
            said[why] = said.get(why, 0) + 1
    if os.environ.get("V"):
        for why, n in sorted(said.items(), key=lambda x: -x[1])[:12]:
            print(f"  {n:5} {why}")
    return good, len(answers)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
    if not shutil.which("bwrap"):
        skip("bubblewrap is not installed")
    low = False
    with tempfile.TemporaryDirectory() as folder:
        for name in PROGRAMS:
            rates = measure(name, count, folder)
            for what, (good, n) in rates.items():
                rate = good / n if n else 0
                print(f"{name}: {what}: {good} of {n} configurations accepted, {100 * rate:.1f} %")
                low |= what == "mutated" and rate < BAR
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
