#!/usr/bin/env python3
"""Job control through `sysreach trace`, in an interactive shell on a terminal: ^Z stops the job, fg lets
it go on, ^C ends it, reading in the background stops it, and its exit status is the command's."""
import os
import pty
import select
import signal
import sys
import time

SYSREACH = os.path.abspath(os.environ.get("SYSREACH", "build/sysreach"))
TRACE = SYSREACH + " trace -o /dev/null -- "


class Shell:
    def __init__(self):
        pid, self.fd = pty.fork()
        if pid == 0:
            # Whoever started the tests in the background had these ignored, and bash keeps that.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGQUIT, signal.SIG_DFL)
            os.execlp("bash", "bash", "--norc", "--noprofile", "-i")
        self.until("$ ")

    def until(self, text, seconds=20):
        """What the shell prints up to a text; empty if it does not come."""
        out, end = "", time.monotonic() + seconds
        while text not in out and time.monotonic() < end:
            if select.select([self.fd], [], [], 0.1)[0]:
                out += os.read(self.fd, 4096).decode(errors="replace")
        return out if text in out else ""

    def type(self, text):
        os.write(self.fd, text.encode())


def main():
    shell, failed = Shell(), []

    def expect(what, typed, text):
        shell.type(typed)
        ok = bool(shell.until(text))
        print("%s %s" % ("ok" if ok else "not ok", what))
        if not ok:
            failed.append(what)

    # The echo of what is typed must not hold the text that is waited for.
    shell.type(TRACE + "bash -c 'echo up-$((1+1)); sleep 1.5; echo over-$((3+4))'\n")
    shell.until("up-2")
    expect("^Z stops the job", "\x1a", "Stopped")
    expect("fg lets it go on", "fg\n", "over-7")
    expect("its exit status", "echo st-$?\n", "st-0")
    shell.type(TRACE + "bash -c 'echo up-$((2+2)); exec sleep 20'\n")
    shell.until("up-4")
    expect("^C ends it", "\x03echo st-$?\n", "st-130")
    expect("input from the terminal", TRACE + "bash -c 'read x; echo got-$((5+5))-$x'\nword\n",
           "got-10-word")
    shell.type(TRACE + "cat &\n")
    time.sleep(1)
    expect("reading in the background stops it", "jobs\n", "Stopped")
    expect("a stopped job can be ended", "kill %1; sleep 1; jobs\n", "Terminated")
    print("%d passed, %d failed" % (7 - len(failed), len(failed)))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
