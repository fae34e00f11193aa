"""make demo: a fresh club, two members signed up by the two ways, and every server asked what it now holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sandbox.club import CHECKOUT, COMMAND, DOMAIN, PYTHON

DIRECTORY = Path(".sandbox-demo")

_CURL = """kinit <<< krb5 >/dev/null && ./gen_cred.sh phosphoric-acid && curl --silent --show-error --negotiate -u : --service-name ceod \
-H "X-KRB5-CRED: $(cat cred)" -d '{"uid":"test_1","cn":"Test One","program":"Math","terms":["s2021"]}' -X POST http://phosphoric-acid:9987/api/members"""

# Signs in as the new member with the temporary password, which has to be changed at once, and says whose ticket it got.
_FIRST_LOGIN = """read -r temporary
printf '%s\\n' "$temporary" my-own-secret-1 my-own-secret-1 | KRB5CCNAME=FILE:/tmp/demo.ccache kinit demo_1 >/dev/null
KRB5CCNAME=FILE:/tmp/demo.ccache klist | grep 'Default principal'
KRB5CCNAME=FILE:/tmp/demo.ccache ldapsearch -QLLL -Y GSSAPI '(|(uid=demo_1)(uid=test_1))' uid cn uidNumber program term
kdestroy -c FILE:/tmp/demo.ccache"""


def sandbox(*words: str, text: str | None = None, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """Run python -m sandbox in the demo's directory."""
    argv = [str(PYTHON), "-m", "sandbox", "--dir", str(DIRECTORY), *words]
    return subprocess.run(argv, input=text, text=True, check=False, cwd=CHECKOUT, stdout=subprocess.PIPE if capture else None)


def say(text: str) -> None:
    """A heading."""
    print(f"\n==> {text}", flush=True)


def main() -> int:
    """Exit status 0 when every server shows the new member."""
    say("Bringing up a club of real servers")
    if status := sandbox("reset", "--plain-http").returncode:
        return status
    try:
        failed = show()
    except BaseException:
        sandbox("down")
        raise
    if failed:
        print(f"\nThis went wrong: {'; '.join(failed)}", file=sys.stderr)
        sandbox("down")
        return 1
    if sys.stdin.isatty() and sys.stdout.isatty():
        say("The menu (Esc leaves it)")
        sandbox("shell", "office1", "--", "ceo")
    if os.environ.get("KEEP"):
        say(f"The club stays up.  Enter it: {COMMAND} --dir {DIRECTORY} shell USER; "
            f"stop it: {COMMAND} --dir {DIRECTORY} down")
        return 0
    say("Taking the club down")
    return sandbox("down").returncode


def show() -> list[str]:
    """Do the main job; what failed."""
    failed: list[str] = []

    def step(heading: str, *words: str, text: str | None = None, expect: str = "") -> str:
        say(heading)
        done = sandbox(*words, text=text, capture=True)
        print(done.stdout, end="", flush=True)
        if done.returncode or expect not in done.stdout:
            failed.append(heading)
        return done.stdout

    told = step("office1 signs up demo_1 with the command line", "shell", "office1", "--", "ceo", "members", "add", "demo_1",
                "--cn", "Demo One", "--program", "Mathematics", "--terms", "2", "--forward", "demo@example.org", "--yes", expect="is ready")
    temporary = told.partition("Temporary password: ")[2].split()[0] if "Temporary password: " in told else ""
    step("ctdalek signs up test_1 with the 2021 document's line", "shell", "ctdalek", "--no-ticket", "--", "bash", "-c", _CURL,
         expect='"status": "completed"')
    step("The KDC and LDAP: demo_1's first login, with the password change it has to make", "shell", "root", "--", "bash", "-c", _FIRST_LOGIN,
         text=f"{temporary}\n", expect="cn: Test One")
    step("The homes", "shell", "root@coffee", "--", "sh", "-c",
         "ls -ldn /users/demo_1 /users/test_1; ls -A /users/demo_1; cat /users/demo_1/.forward", expect="demo@example.org")
    step("Mailman: who is on csc-general", "shell", "root@mail", "--", "mailman", "members", f"csc-general@{DOMAIN}", expect=f"demo_1@{DOMAIN}")
    step("The mailbox of demo_1", "mail", "--to", f"demo_1@{DOMAIN}", expect="Welcome")
    return failed


if __name__ == "__main__":
    sys.exit(main())
