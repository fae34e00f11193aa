"""python -m sandbox up|down|shell|status|logs|reset|mail: a whole club of real servers to play with."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from datetime import date, datetime
from pathlib import Path

from sandbox import control, shell
from sandbox.club import CHECKOUT, COMMAND, DESK, HOSTS, PEOPLE, PYTHON
from sandbox.namespaces import NotAllowed
from sandbox.state import State

DEFAULT_DIRECTORY = ".sandbox"


def main() -> int:
    """Run one sub-command; every refusal is one sentence on stderr and exit status 1."""
    arguments = _parser().parse_args(_split_command())
    arguments.command_after_dashes = _after_dashes()
    try:
        result: int = arguments.run(State(Path(arguments.dir)), arguments)
    except (control.Refused, NotAllowed) as refusal:
        print(f"sandbox: {refusal}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"sandbox: {error.filename or arguments.dir}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return result


def _split_command() -> list[str]:
    words = sys.argv[1:]
    return words[: words.index("--")] if "--" in words else words


def _after_dashes() -> list[str]:
    words = sys.argv[1:]
    return words[words.index("--") + 1 :] if "--" in words else []


def _parser() -> argparse.ArgumentParser:
    # --dir stands before or after the sub-command, whichever people type.
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument("--dir", default=argparse.SUPPRESS, metavar="DIR", help=f"the sandbox's directory (default {DEFAULT_DIRECTORY})")
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--dir", default=DEFAULT_DIRECTORY, metavar="DIR", help=f"the sandbox's directory (default {DEFAULT_DIRECTORY})")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: object, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, parents=[everywhere])
        made.set_defaults(run=run)
        return made

    for name, run, text in (("up", up, "start a new club"), ("reset", reset, "throw the running club away and start a new one")):
        made = add(name, run, text)
        made.add_argument("--plain-http", action="store_true", help="development mode: ceod answers plain HTTP beside TLS on port 9987")
        made.add_argument("--at", type=_date, metavar="YYYY-MM-DD", help="show every program inside this day's date")
    add("down", down, "stop everything; nothing stays outside the directory")
    add("status", status, "what runs where")
    logs_ = add("logs", logs, "print a server's log, or list the logs")
    logs_.add_argument("name", nargs="?")
    mail_ = add("mail", mail, "print the mails that were sent")
    mail_.add_argument("--to", metavar="ADDRESS", help="only those to this address")
    shell_ = add("shell", open_shell, "a shell (or COMMAND) as USER with a fresh ticket, or as root@HOST: shell [USER[@HOST]] [-- COMMAND...]")
    shell_.add_argument("user", nargs="?", default="ctdalek")
    shell_.add_argument("--no-ticket", action="store_true", help="without a ticket")
    add("test", test, "bring up a sandbox, run pytest at its desk, take it down: test -- PYTEST ARGUMENTS")
    host_ = add("host", host, "cut a host off, join it again, crash it or boot it; stop, start or kill one of its servers")
    host_.add_argument("host", choices=sorted(HOSTS))
    host_.add_argument("what", choices=("cut", "join", "crash", "boot", "stop", "start", "kill"))
    host_.add_argument("service", nargs="?")
    return parser


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2027-01-15") from None


def up(state: State, arguments: argparse.Namespace) -> int:
    """Start; prints what happens on the way."""
    begun = time.monotonic()
    _readable_by_all(CHECKOUT)
    state.directory.mkdir(parents=True, exist_ok=True)
    offset = 0
    if arguments.at:
        offset = int((datetime.combine(arguments.at, datetime.now().time()) - datetime.now()).total_seconds())
    options = {"plain_http": arguments.plain_http, "offset_seconds": offset}
    process = subprocess.Popen(
        [PYTHON, "-m", "sandbox.supervisor", str(state.directory), json.dumps(options)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        text=True, start_new_session=True, cwd=CHECKOUT,
    )
    assert process.stdout
    try:
        for line in process.stdout:
            told = json.loads(line)
            if "error" in told:
                log = state.directory / "log/supervisor"
                hint = f"\n  (more in {log} and in the logs beside it)" if log.exists() and log.stat().st_size else ""
                raise control.Refused(told["error"] + hint)
            if "step" in told:
                print(f"  {told['step']} ...", flush=True)
            if "host" in told:
                print(f"  {told['host']}: {', '.join(f'{name} {seconds:.1f} s' for name, seconds in told['times'].items())}", flush=True)
            if "up" in told:
                print(f"The club is up after {time.monotonic() - begun:.1f} s.  Enter it: {COMMAND}"
                      f"{'' if state.directory == Path(DEFAULT_DIRECTORY).absolute() else f' --dir {state.directory}'} shell USER"
                      f"  ({', '.join(PEOPLE)}; password krb5)", flush=True)
                return 0
    except BaseException:
        process.terminate()
        raise
    raise control.Refused(f"the sandbox ended while starting; see {state.directory / 'log/supervisor'}")


def _readable_by_all(checkout: Path) -> None:
    """The club's people run ceo from this checkout; its top folder alone may be closed to them (see rootfs.py)."""
    package = checkout / "ceo"
    if package.stat().st_mode & 0o005 != 0o005 or not (package / "__init__.py").stat().st_mode & 0o004:
        raise control.Refused(f"the club's people can't read {checkout}: chmod -R o+rX {checkout}")


def down(state: State, arguments: argparse.Namespace) -> int:
    """Stop."""
    print("down" if state.down() else f"no sandbox was up in {state.directory}")
    return 0


def reset(state: State, arguments: argparse.Namespace) -> int:
    """Down and up."""
    state.down()
    return up(state, arguments)


def status(state: State, arguments: argparse.Namespace) -> int:
    """Print a line a host; exit status 3 when nothing is up."""
    if state.supervisor() is None:
        print(f"no sandbox is up in {state.directory}")
        return 3
    for host_name in HOSTS:
        try:
            services = state.call(host_name, do="status")["services"]
        except control.Refused:
            print(f"{host_name}: down")
            continue
        print(f"{host_name}: {', '.join(name if runs else f'{name} (stopped)' for name, runs in services.items())}")
    return 0


def logs(state: State, arguments: argparse.Namespace) -> int:
    """Print one log, by its name or a part of it."""
    folder = state.directory / "log"
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if not arguments.name:
        print("\n".join(names) or "there are no logs")
        return 0
    found = [name for name in names if arguments.name in name]
    if not found:
        raise control.Refused(f"no log {arguments.name!r}; there are: {', '.join(names) or 'none'}")
    for name in found:
        sys.stdout.write((folder / name).read_text(errors="replace"))
    return 0


def mail(state: State, arguments: argparse.Namespace) -> int:
    """Print the mails, oldest first."""
    for path in sorted((state.directory / "mail").glob("*.eml"), key=lambda path: path.name):
        text = path.read_text(errors="replace")
        if arguments.to is None or any(line.lower().startswith("x-envelope-to:") and arguments.to in line for line in text.splitlines()):
            print(f"--- {path.name}\n{text}")
    return 0


def open_shell(state: State, arguments: argparse.Namespace) -> int:
    """Enter."""
    return shell.run(state, arguments.user, arguments.command_after_dashes, want_ticket=not arguments.no_ticket)


_ENDS = (signal.SIGTERM, signal.SIGHUP)  # `timeout make test`, and a terminal that is closed


def _end_once(number: int, _frame: object) -> None:
    """End by an exception, so that the club goes down; what make and the kernel send after it does not cut that short."""
    for other in _ENDS:
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)


def test(state: State, arguments: argparse.Namespace) -> int:
    """Pytest at the desk of a fresh sandbox; what the daemons logged stays in the directory."""
    arguments.plain_http, arguments.at = False, None
    for number in _ENDS:
        signal.signal(number, _end_once)
    try:
        reset(state, arguments)
        root = shell.resolve(state, "root")
        argv = [str(PYTHON), "-m", "pytest", *arguments.command_after_dashes]
        return subprocess.run(shell.command(state, root, argv, folder=str(CHECKOUT)), check=False).returncode
    finally:
        state.down()


def host(state: State, arguments: argparse.Namespace) -> int:
    """What can happen to a host or a server."""
    if arguments.what in ("cut", "join", "crash", "boot"):
        state.call(DESK, do=arguments.what, host=arguments.host)
    else:
        state.call(arguments.host, do=arguments.what, service=arguments.service or "")
    return 0


if __name__ == "__main__":
    os.umask(0o022)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `sandbox mail | head` ends in silence
    sys.exit(main())
