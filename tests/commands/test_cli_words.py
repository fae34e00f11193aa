"""How commands end and what they say: what does not exist, what is repeated, what somebody declines."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import uuid

import pytest

from tests.club.club import Club
from tests.club.terminal import Open

_MISSING = """
mailman get nosuch
mailman subscribe nosuch events
mailman subscribe regular1 nosuch
mailman unsubscribe nosuch events --yes
mailman unsubscribe regular1 nosuch --yes
mysql get nosuch
mysql create nosuch
mysql pwreset nosuch --yes
postgresql get nosuch
postgresql create nosuch
postgresql pwreset nosuch --yes
library get 99999
library get 9780306406157
library loans nosuch
library lend 99999 regular1
library lend 1 nosuch
library return 99999
library return 1 nosuch
library renew 1 nosuch
library copies 99999
library search zzzzqqqqxxxx
members get nosuch
members list --group nosuch
members list --position nosuch
members search --group nosuch
members search --position nosuch
members export --group nosuch
members renew nosuch --term w2027
members renew nosuch --terms 1 --yes
members modify nosuch --shell /bin/sh
members pwreset nosuch --yes
members delete nosuch --yes
members restore nosuch
members uwldap nosuch
clubs get nosuch
clubs get regular1
groups get nosuch
groups search nosuch
groups add-member nosuch regular1
groups add-member office nosuch
groups remove-member nosuch regular1 --yes
groups remove-member office nosuch --yes
positions set nosuch=regular1 --yes
positions set librarian=nosuch --yes
updateprograms nosuch
transactions show nosuch
transactions follow nosuch
transactions resume nosuch
transactions abandon nosuch --reason x --yes
log --host nohost
log --host nohost --verify
doctor ghost
doctor ghost --fix --yes
api GET /members/nosuch
""".split("\n")[1:-1]


@pytest.mark.parametrize("words", _MISSING)
def test_what_does_not_exist_ends_with_66(club: Club, words: str) -> None:
    done = club.run_as("ctdalek", "ceo", *words.split())
    assert done.returncode == 66, done
    assert done.stdout + done.stderr
    if not words.startswith("api"):
        done = club.run_as("ctdalek", "ceo", *words.split(), "--json")
        assert done.returncode == 66, done
        assert json.loads(done.stdout)["code"] == "not_found"


def test_capitals_get_the_name_without_them(club: Club) -> None:
    for words in ("members get CTDALEK", "members modify CTDALEK --shell /bin/sh"):
        done = club.run_as("ctdalek", "ceo", *words.split())
        assert done.returncode == 66
        assert "did you mean ctdalek?" in done.stderr


def test_who_may_be_meant_is_named_and_nobody_is_taken_instead(club: Club) -> None:
    chloes = {"m021dubois", "m049dubois"}
    for words in ('members get "Chloé Dub"', 'members pwreset "dub CHLOE" --yes'):
        done = club.run_as("ctdalek", "ceo", *shlex.split(words), "--json")
        assert done.returncode == 66, done
        near = json.loads(done.stdout)["near"]
        assert {member["uid"] for member in near} == chloes, words
        assert {member["cn"] for member in near} == {"Chloé Dubois"}, words
    for words in ("library loans ctdalekk", "updateprograms ctdalekk --yes"):
        done = club.run_as("ctdalek", "ceo", *words.split())
        assert done.returncode == 66, done
        says = "there is no account 'ctdalekk'; did you mean ctdalek (Calum Dalek)?"
        assert done.stderr == f"ceo: {says}\n"
    done = club.run_as("regular1", "ceo", "members", "get", "dubios", "--json")
    assert len(json.loads(done.stdout)["near"]) == 5
    for typed in ("f2026", "math"):
        done = club.run_as("regular1", "ceo", "members", "get", typed, "--json")
        assert json.loads(done.stdout)["near"] == [], typed
    done = club.run_as("ctdalek", "ceo", "api", "GET", "/members/dubios")
    assert "near" not in json.loads(done.stdout)  # ceod's answer as it is


def test_of_a_name_without_an_account_doctor_shows_what_is_left(club: Club) -> None:
    assert club.run_as("ctdalek", "ceo", "doctor", "ghost").stderr == "ceo: there is no account 'ghost'\n"


@pytest.mark.parametrize(("words", "hint"), [
    ("help", "there is no command help: run ceo --help"),
    ("version", "there is no command version: run ceo --version"),
    ("-v", "run ceo --version"),
    ("membrs", "did you mean members?"),
    ("members help", "run ceo members --help"),
    ("members lst", "did you mean list?"),
    ("library zzzz", "ceo library --help lists them"),
])
def test_a_word_that_is_no_command_gets_a_hint(club: Club, words: str, hint: str) -> None:
    done = club.run_as("regular1", "ceo", *words.split())
    assert done.returncode == 2
    assert hint in done.stderr


# Lists and clubs


def test_mailing_lists_are_listed(club: Club) -> None:
    rows = json.loads(club.run_as("regular1", "ceo", "mailman", "list", "--json").stdout)["lists"]
    assert {row["list"] for row in rows} == set(club.rosters()) | {row["list"] for row in rows if not row["members"]}
    by_name = {row["list"]: row for row in rows}
    assert by_name["syscom"]["groups"] == ["syscom"]
    assert "csc-general" in club.run_as("regular1", "ceo", "mailman", "list").stdout


def test_clubs_are_listed_and_shown(club: Club) -> None:
    name = club.name()
    club.done(club.client("ctdalek").add_club({"uid": name, "cn": "Test Club"}))
    club.done(club.client("ctdalek").add_to_group(name, "regular1"))
    rows = json.loads(club.run_as("regular1", "ceo", "clubs", "list", "--json").stdout)["clubs"]
    (row,) = [row for row in rows if row["uid"] == name]
    assert row == {"uid": name, "cn": "Test Club", "members": 1, "expired": False, "deleted": False}
    done = club.run_as("regular1", "ceo", "clubs", "get", name)
    assert done.returncode == 0
    assert "Test Club" in done.stdout
    assert "regular1" in done.stdout


# Forms of output


_LISTINGS = ("members list --term f2026", "members search dalek", "library search c", "library loans", "library overdue", "groups search",
             "clubs list", "mailman list", "transactions list", "log", "log --verify", "memberlist", "expiredaccounts", "inactive 2")


@pytest.mark.parametrize("words", _LISTINGS)
def test_one_form_at_a_time(club: Club, words: str) -> None:
    for more in (("--json", "--csv"), ("--json", "--columns", "uid"), ("--json", "--columns=help"), ("--csv", "--columns", "no-such-column"),
                 ("--columns", "")):
        done = club.run_as("ctdalek", "ceo", *words.split(), *more)
        assert done.returncode == 2, (more, done)
        assert done.stdout == ""
    column = club.run_as("ctdalek", "ceo", *words.split(), "--columns=help").stdout.split()[0]
    done = club.run_as("ctdalek", "ceo", *words.split(), "--csv", "--columns", column)
    assert done.returncode == 0, done
    assert done.stdout.splitlines()[0] == column


def test_a_limit_is_what_is_printed(club: Club) -> None:
    for words in ("members search a", "log", "transactions list", "library search a"):
        done = club.run_as("ctdalek", "ceo", *words.split(), "--csv", "--limit", "2")
        assert len(list(csv.reader(io.StringIO(done.stdout)))) == 3, (words, done)
    done = club.run_as("ctdalek", "ceo", "members", "search", "a", "--limit", "2")
    assert "--limit shows more" in done.stderr


# Renewals


def test_an_exact_renewal_can_be_repeated(club: Club) -> None:
    uid = club.add(terms=["f2026"])["result"]["uid"]
    words = ("ceo", "members", "renew", uid, "--term", "w2027")
    assert club.run_as("office1", *words).returncode == 0
    again = club.run_as("office1", *words)
    assert (again.returncode, again.stdout) == (0, f"{uid} is registered for w2027 already; nothing was changed.\n")
    told = json.loads(club.run_as("office1", *words, "--json").stdout)
    assert (told["status"], told["result"]["already"]) == ("completed", ["w2027"])
    more = club.run_as("office1", *words, "--term", "s2027")
    assert more.returncode == 0
    assert "w2027 already" in more.stderr
    assert club.client("regular1").member(uid)["terms"] == ["f2026", "w2027", "s2027"]
    assert club.run_as("office1", "ceo", "members", "renew", uid, "--term", "x99").returncode == 65


def test_a_counted_renewal_is_confirmed(club: Club) -> None:
    uid = club.add(terms=["f2026"])["result"]["uid"]
    done = club.run_as("office1", "ceo", "members", "renew", uid, "--terms", "1")
    assert done.returncode == 2
    assert "--yes, or --term w2027" in done.stderr
    done = club.run_as("office1", "ceo", "members", "renew", uid, "--terms", "1", "--yes")
    assert done.returncode == 0
    assert "$2" in done.stderr
    assert club.client("regular1").member(uid)["terms"] == ["f2026", "w2027"]


def test_a_list_without_a_match_says_so(club: Club) -> None:
    for more in (("--term", "f2040"), ("--program", "zzzz")):
        done = club.run_as("office1", "ceo", "members", "list", *more)
        assert done.returncode == 0, done
        assert done.stderr == "ceo: no match\n"


def test_a_count_that_is_another_is_refused_before_the_question(club: Club) -> None:
    club.add(terms=["w2015"])  # somebody is due
    done = club.run_as("ctdalek", "ceo", "members", "expire", "--count", "9999")
    assert (done.returncode, done.stdout) == (73, "")
    assert re.fullmatch(r"ceo: \d+ accounts would be expired, not 9999, so nobody was; .*\n", done.stderr)


def test_a_refused_sign_up_names_its_own_rule(club: Club) -> None:
    words = ("members", "add", club.name(), "--cn", "Test Person", "--program", "CS", "--term", "f2026")
    done = club.run_as("regular1", "ceo", *words)
    assert done.returncode == 77
    assert "may add a member" in done.stderr


def test_an_empty_word_of_a_script_is_not_everything(club: Club) -> None:
    uid, office = club.add()["result"]["uid"], club.client("office1")
    book = office.add_book({"title": f"Book {uid}", "authors": ["A. Writer"]})["book"]
    office.lend(book, uid)
    for words, status in (
        (("members", "export", "--group", ""), 65),
        (("memberlist", ""), 65),
        (("library", "loans", ""), 66),
        (("library", "return", str(book), ""), 66),
        (("members", "get", "a/b"), 66),
    ):
        done = club.run_as("office1", "ceo", *words)
        assert (done.returncode, done.stdout) == (status, ""), done
        assert "/api/" not in done.stderr
    assert [loan["uid"] for loan in office.loans_of_book(book)] == [uid]


def test_a_dry_run_says_which_books_are_left_out(club: Club) -> None:
    title = f"Twice {club.name()}"
    club.client("office1").add_book({"title": title, "authors": ["A. Writer"]})
    words = ("ceo", "library", "import", "-", "--doubles", "skip", "--dry-run")
    done = club.run_as("office1", *words, text=f"title,authors\n{title},A. Writer\n")
    assert done.returncode == 0, done
    assert "Left out, because the library has them: 1 book." in done.stderr


def test_a_counted_renewal_has_no_key_of_its_own(club: Club) -> None:
    """The second time it would count from other terms; exact terms are renewed once."""
    uid, key = club.add(terms=["f2026"])["result"]["uid"], str(uuid.uuid4())
    words = ("ceo", "members", "renew", uid, "--yes", "--key", key)
    for more in (("--terms", "1"), ()):
        done = club.run_as("office1", *words, *more)
        assert done.returncode == 2, done
        assert "with --key name the terms" in done.stderr
    for _ in range(2):
        assert club.run_as("office1", *words, "--term", "w2027").returncode == 0
    assert club.client("regular1").member(uid)["terms"] == ["f2026", "w2027"]


def test_a_term_that_is_over_is_named_before_the_renewal(club: Club, terminal: Open) -> None:
    uid = club.add(terms=["f2026"])["result"]["uid"]
    window = terminal("office1", "ceo", "members", "renew", uid, "--term", "f1999", "--term", "w2027")
    window.see(f"Note: {uid} is a member until f2026 already; this adds f1999, w2027.")
    window.see("for f1999 (already over), w2027; fee: $4?")
    window.type("n", "Enter")
    assert window.ended() == 1
    done = club.run_as("office1", "ceo", "members", "renew", uid, "--term", "f1999", "--yes")
    assert done.returncode == 0, done
    assert done.stderr.startswith("Note: f1999 is already over.\n")


def test_a_repeated_sign_up_is_not_near_itself(club: Club) -> None:
    uid = club.name()
    words = ("ceo", "members", "add", uid, "--cn", f"Repeated {uid}", "--program", "Maths", "--term", "f2026", "--key", str(uuid.uuid4()))
    for _ in range(2):
        done = club.run_as("office1", *words)
        assert done.returncode == 0, done
        assert "the same person" not in done.stderr


def test_a_counted_sign_up_is_confirmed(club: Club) -> None:
    uid = club.name()
    words = ("ceo", "members", "add", uid, "--cn", "Test Person", "--program", "Maths")
    assert club.run_as("office1", *words, "--terms", "1").returncode == 2
    assert club.run_as("office1", *words).returncode == 2
    club.nothing(uid)
    assert club.run_as("office1", *words, "--term", "f2026").returncode == 0


def test_a_terminal_shows_the_terms_and_the_fee(club: Club, terminal: Open) -> None:
    uid = club.add(terms=["f2026"])["result"]["uid"]
    window = terminal("office1", "ceo", "members", "renew", uid, "--terms", "2")
    window.see("w2027, s2027", "$4")
    window.type("n", "Enter")
    window.see("you answered no; nothing was changed")
    assert "interrupted" not in window.text
    assert window.ended() == 1
    assert club.client("regular1").member(uid)["terms"] == ["f2026"]


# Keys


def test_a_key_makes_a_repetition_harmless(club: Club) -> None:
    uid, key = club.name(), str(uuid.uuid4())
    words = ("ceo", "members", "add", uid, "--cn", "Test Person", "--program", "Maths", "--term", "f2026", "--key", key)
    first = club.run_as("office1", *words)
    assert first.returncode == 0
    again = club.run_as("office1", *words)
    assert again.returncode == 0, again
    assert f"ceo members pwreset {uid}" in again.stdout
    assert club.run_as("office1", *words[:-2], "--key", str(uuid.uuid4())).returncode == 73
    assert club.run_as("office1", *words[:-2], "--key", "no-uuid").returncode == 2
    title = f"Book {club.name()}"
    book = ("ceo", "library", "add", "--title", title, "--author", "Ann Author", "--key", key)
    assert club.run_as("office1", *book).stdout == club.run_as("office1", *book).stdout


# Runs its arguments, interrupts them once they are connected to a ceod (port 9987), and prints how they ended.
_INTERRUPT = """
import json, os, signal, subprocess, sys, time
from pathlib import Path
ceo = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
while ceo.poll() is None:
    lines = [line.split() for line in open(f"/proc/{ceo.pid}/net/tcp")]
    there = {f"socket:[{line[9]}]" for line in lines if line[2].endswith(":2703") and line[3] == "01"}
    try:  # the whole host's connections are listed: only those of ceo itself count
        own = {os.readlink(link) for link in Path(f"/proc/{ceo.pid}/fd").iterdir()}
    except OSError:
        own = set()
    if there & own:
        break
    time.sleep(0.05)
ceo.send_signal(signal.SIGINT)
out, err = ceo.communicate()
print(json.dumps([ceo.returncode, out, err]))
"""


def test_an_interrupted_change_tells_how_to_repeat_it(club: Club) -> None:
    uid = club.add()["result"]["uid"]
    with club.frozen("mail", "ceod"):
        done = club.run_as("office1", "python", "-c", _INTERRUPT, "ceo", "mailman", "subscribe", uid, "events")
    status, out, err = json.loads(done.stdout)
    assert (status, out) == (74, "")
    (command,) = re.findall(r"run: (ceo .*)", err)
    assert re.fullmatch(rf"ceo mailman subscribe --key [0-9a-f-]{{36}} {uid} events", command)
    for _ in range(2):
        done = club.run_as("office1", *shlex.split(command))
        assert (done.returncode, done.stdout) == (0, f"{uid} is on events.\n")
    assert club.on_list(uid, "events")


# Runs the command behind the name of a method of the client; what that method sends is lost.
_LOST = """
import sys
from ceo_common.client import Client
from ceo_common.errors import OutcomeUnknown
def lost(*_, **__):
    raise OutcomeUnknown("the connection ended")
setattr(Client, sys.argv[1], lost)
if sys.argv[1] == "remind_members":
    Client.reminders = lambda self: {"due": 1, "count": 1, "members": [], "changes": [], "left_out": {}}
sys.argv = ["ceo", *sys.argv[2:]]
from ceo.cli import main
main()
"""


def _lost_command(club: Club, who: str, method: str, *words: str) -> list[str]:
    """The command that ceo prints where the outcome of `words` is unknown; its key is KEY."""
    done = club.run_as(who, "python", "-c", _LOST, method, *words)
    assert done.returncode == 74, done
    (command,) = re.findall(r"run: (ceo .*)", done.stderr)
    return shlex.split(command)


def _without_key(words: list[str]) -> str:
    return re.sub(r"--key [0-9a-f-]{36}", "--key KEY", " ".join(words))


def test_what_a_lost_answer_names_is_one_change(club: Club) -> None:
    """Not "the last change", "whoever has it" or "the report": that may be another one by then."""
    uid, office = club.add()["result"]["uid"], club.client("office1")
    book = office.add_book({"title": f"Book {club.name()}", "authors": ["Ann Author"]})["book"]
    loan = office.lend(book, uid)
    undo = _lost_command(club, "office1", "undo_loan_change", "library", "undo", "--yes")
    assert _without_key(undo) == f"ceo library undo --key KEY --yes {loan['change']}"
    give_back = _lost_command(club, "office1", "give_back", "library", "return", str(book))
    assert _without_key(give_back) == f"ceo library return --key KEY --yes {book} {uid}"
    for _ in range(2):
        done = club.run_as("office1", *give_back)
        assert done.returncode == 0, done
        assert f"is back from {uid}" in done.stdout
    report = _lost_command(club, "ctdalek", "remind_members", "expiredaccounts", "--email", "--yes")
    assert _without_key(report) == "ceo members remind --key KEY --yes"
    assert club.run_as("ctdalek", *report).returncode == 0


def test_repeated_programs_tell_the_first_result(club: Club) -> None:
    uid = club.student()["uid"]
    club.done(club.client("office1").add_member(club.member(uid, program="Undeclared")))
    command = _lost_command(club, "ctdalek", "update_programs", "updateprograms", uid, "--yes")
    assert _without_key(command) == f"ceo updateprograms --key KEY --yes {uid}"
    for _ in range(2):
        done = club.run_as("ctdalek", *command)
        assert (done.returncode, done.stdout) == (0, "1 updated.\n"), done


def test_positions_that_somebody_else_changes_at_the_question(club: Club, terminal: Open) -> None:
    syscom = club.client("ctdalek")
    held = syscom.positions()["positions"]["imapd"]
    uid, other = (club.add()["result"]["uid"] for _ in range(2))
    try:
        window = terminal("ctdalek", "ceo", "positions", "set", f"imapd={uid}")
        window.see("Change 1 position?")
        club.done(syscom.set_positions({"imapd": [other]}))
        window.type("y", "Enter")
        window.see("somebody else changed imapd meanwhile")
        assert window.ended() == 73
        assert syscom.positions()["positions"]["imapd"] == [other]
    finally:
        club.done(syscom.set_positions({"imapd": held}))


# Prompts


def test_each_prompt_checks_its_answer_at_once(club: Club, terminal: Open) -> None:
    uid = club.name()
    window = terminal("office1", "ceo", "members", "add")
    for wrong, words in (("Bad Name", "a username is"), ("ctdalek", "ctdalek"), ("root", "root")):
        window.see("Username")
        window.type(wrong, "Enter")
        window.see("Error:", words)
    window.type(uid, "Enter")
    window.see("Full name")
    window.type(uid, "Enter")
    window.see("Error:")
    window.type("Prompt Person", "Enter")
    window.see("Program")
    window.type("Physics", "Enter")
    window.see("Number of terms")
    window.type("none", "Enter")
    window.see("Error:")
    window.type("2", "Enter")
    window.see("Forward mail to")
    window.type("nowhere", "Enter")
    window.see("Error:")
    window.type("a@example.org", "Enter")
    window.see("Prompt Person", "Physics", "a@example.org", "$4", "Add this account?")
    window.type("n", "Enter")
    window.see("nothing was changed")
    assert window.ended() == 1
    club.nothing(uid)


def test_a_repeated_sign_up_with_its_key_asks_nothing_again(club: Club, terminal: Open) -> None:
    uid, key = club.name(), str(uuid.uuid4())
    words = ("members", "add", uid, "--cn", "Test Person", "--program", "Maths", "--term", "f2026", "--key", key)
    assert club.run_as("office1", "ceo", *words).returncode == 0
    window = terminal("office1", "ceo", *words)
    window.see("Add this account?")
    assert "Forward mail to" not in window.text
    window.type("y", "Enter")
    window.see(f"The account {uid} is ready")
    assert window.ended() == 0


def test_a_refused_forwarding_address_can_be_left_out(club: Club, terminal: Open) -> None:
    uid = club.name()
    window = terminal("office1", "ceo", "members", "add", uid, "--cn", "Test Person", "--program", "Maths", "--term", "f2026")
    window.see("Forward mail to")
    window.type(f"{uid}@csclub.internal", "Enter")
    window.see("Error:")
    window.type("Enter")
    window.see("Forwarding none", "Add this account?")
    window.type("n", "Enter")
    assert window.ended() == 1


def test_answers_outlive_a_server_that_is_away(club: Club, terminal: Open) -> None:
    uid = club.name()
    window = terminal("office1", "ceo", "members", "add", uid, "--cn", "Test Person")
    window.resize(200, 24)
    window.see("Program")
    window.type("Maths", "Enter")
    window.see("Number of terms")
    window.type("2", "Enter")
    window.see("Forward mail to")
    with club.frozen("phosphoric-acid", "slapd"):
        window.type("a@example.org", "Enter")
        window.see("To go on with your answers later, run:", seconds=60)
        assert window.ended() in (69, 75)
    command = " ".join(window.text.split()).replace("ceo: ", "")
    for words in (uid, "--cn 'Test Person'", "--program Maths", "--term f2026 --term w2027", "--forward a@example.org"):
        assert words in command
