"""The command line as scripts and cron use it: JSON, exit statuses, files, runs that are cut off."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ceo_common.errors import Invalid
from ceo_common.model.isbn import check_digit
from tests.club import imports
from tests.club.club import ADMIN, Club
from tests.club.terminal import Open

# From a sign-up to a restore with --json and jq alone.
SCRIPT = """\
set -euo pipefail
ceo members add "$1" --cn "Script Person" --program Maths --term f2026 --json | jq -e '.status == "completed" and (.result.temporary_password | length) > 15'
ceo members renew "$1" --term w2027 --json | jq -e '.status == "completed"'
ceo members search "Script Person" --json | jq -e --arg uid "$1" '.members | map(select(.uid == $uid)) | .[0].terms == ["f2026", "w2027"]'
ceo members export --term w2027 --json | jq -e --arg uid "$1" '[.members[].uid] | index($uid) != null'
ceo members pwreset "$1" --yes --json | jq -e '.result.temporary_password | length > 15'
ceo members delete "$1" --yes --json | jq -e '.status == "completed"'
ceo members get "$1" --json | jq -e '.deleted'
ceo members restore "$1" --json | jq -e '.status == "completed"'
ceo members get "$1" --json | jq -e '(.deleted | not) and .terms == ["f2026", "w2027"]'
"""


def test_from_sign_up_to_restore_with_jq_alone(club: Club) -> None:
    uid = club.name()
    done = club.run_as("ctdalek", "bash", "-c", SCRIPT, "script", uid)
    assert done.returncode == 0 and done.stdout.split() == ["true"] * 9, done
    assert club.principal(uid) and club.home(uid) and club.on_list(uid)


def test_each_read_has_its_json(club: Club) -> None:
    for words, key in ((("members", "list", "--term", "f2026"), "members"), (("groups", "search"), "groups"), (("groups", "get", "syscom"), "members"),
                       (("positions", "get"), "positions"), (("library", "search", "kernighan"), "books"), (("library", "overdue"), "loans"),
                       (("library", "loans"), "loans"), (("log", "--limit", "2"), "rows"), (("transactions", "list"), "transactions"),
                       (("memberlist",), "members"), (("inactive", "3"), "members"), (("expiredaccounts",), "members"), (("mysql", "get", "ctdalek"), "mysql"),
                       (("mailman", "get", "ctdalek"), "lists"), (("whoami",), "ticket_seconds_left"), (("members", "uwldap", "jdoe"), "program")):
        done = club.run_as("ctdalek", "ceo", *words, "--json")
        assert done.returncode == 0 and key in json.loads(done.stdout) and done.stderr == "", (words, done)


def test_listings_as_csv_with_chosen_columns(club: Club) -> None:
    done = club.run_as("ctdalek", "ceo", "members", "list", "--csv", "--columns", "uid,cn,terms")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) > 100 and {"uid": "ctdalek", "cn": "Calum Dalek"}.items() <= next(row for row in rows if row["uid"] == "ctdalek").items()
    assert list(rows[0]) == ["uid", "cn", "terms"] and [row["uid"] for row in rows] == sorted(row["uid"] for row in rows)
    assert "deleted" in club.run_as("ctdalek", "ceo", "members", "list", "--columns", "help").stdout.split()
    done = club.run_as("ctdalek", "ceo", "members", "list", "--columns", "uid,nonsense")
    assert done.returncode == 2 and "there are: uid, cn" in done.stderr
    plain = club.run_as("ctdalek", "ceo", "members", "search", "dalek", "--columns", "uid,cn").stdout
    assert plain.splitlines()[0].split() == ["UID", "CN"] and "\x1b" not in plain
    assert club.run_as("ctdalek", "bash", "-c", "ceo members list | head -1; exit ${PIPESTATUS[0]}").returncode == 0


def test_a_table_on_a_terminal_has_colour_unless_nobody_wants_it(club: Club, terminal: Open) -> None:
    window = terminal("ctdalek", "ceo", "members", "search", "dalek")
    window.see("Uid", "Calum Dalek", "1 row")
    assert window.ended() == 0 and b"\x1b[1m" in window.raw
    window = terminal("ctdalek", "ceo", "members", "search", "dalek", TERM="dumb")
    window.see("Calum Dalek")
    assert window.ended() == 0 and b"\x1b[" not in window.raw
    window = terminal("ctdalek", "ceo", "members", "search", "dalek", NO_COLOR="1")
    window.see("Calum Dalek")
    assert window.ended() == 0 and not re.search(rb"\x1b\[[0-9;]*[34][0-7]m", window.raw)


def test_long_output_is_paged_on_a_terminal(club: Club, terminal: Open) -> None:
    window = terminal("ctdalek", "ceo", "members", "list", PAGER="cat -n | sed -n 200,203p")
    window.see("203")
    assert window.ended() == 0


def test_what_ended_the_ways_it_can_end(club: Club) -> None:
    """Each one line, no traceback, the status that the manual lists."""
    club.run_as("ctdalek", "true")
    cases: list[tuple[list[str], int, str]] = [
        (["env", "CEO_CONFIG=/nonexistent", "ceo", "whoami"], 78, "there is no such file"),
        (["env", "KRB5CCNAME=FILE:/nonexistent", "ceo", "whoami"], 77, "run kinit first"),
        (["faketime", "+3 days", "ceo", "whoami"], 77, "run kinit first"),
        (["faketime", "+10 minutes", "ceo", "whoami"], 77, "the clocks differ by more than five minutes"),
        (["ceo", "members", "get", "nobody-here"], 66, "there is no account"),
        (["ceo", "members", "frobnicate"], 2, "there is no command frobnicate"),
        (["ceo", "positions", "list"], 2, "there is no command list: run ceo positions get"),
        (["ceo", "memberz"], 2, "did you mean members?"),
        (["ceo", "members", "pwreset", "regular1"], 2, "--yes"),
        (["ceo", "library", "lend", "nonsense", "ctdalek"], 65, "neither a book's number nor an ISBN"),
        (["ceo", "members", "import", "/nonexistent.csv"], 66, "No such file"),
        (["ceo", "api", "--host", "nohost", "GET", "/whoami"], 66, ""),
        (["ceo", "inactive", "x"], 2, "'x' is not a valid number"),
        (["ceo", "memberlist", "f2099"], 0, "nobody is a member in f2099"),
        (["ceo", "members", "get", "\udcff"], 65, "not UTF-8"),
        (["ceo", "api", "POST", "/members", "[" * 90_000], 65, ""),
    ]
    for words, status, says in cases:
        done = club.run_as("ctdalek", *words)
        assert says in done.stderr and (done.stderr or words[1] == "api") and "Traceback" not in done.stderr, (words, done)
        assert done.returncode == status, (words, done)
        assert status == 2 or done.stderr.count("\n") == (words[1] != "api"), (words, done)


def test_a_host_that_is_down(club: Club) -> None:
    club.service(ADMIN, "stop", "ceod")
    try:
        done = club.run_as("ctdalek", "ceo", "members", "get", "ctdalek")
        as_json = club.run_as("ctdalek", "ceo", "members", "get", "ctdalek", "--json")
    finally:
        club.service(ADMIN, "start", "ceod")
        club.settled()
    assert done.returncode == 69 and done.stderr == "ceo: phosphoric-acid.csclub.internal does not answer on port 9987: Connection refused\n"
    assert as_json.returncode == 69 and json.loads(as_json.stdout)["code"] == "unreachable"


def test_books_come_from_a_file_all_or_none(club: Club) -> None:
    good = f"title,authors,year\nScripts of {club.name()},A. Writer; B. Writer,1999\n"
    done = club.run_as("ctdalek", "ceo", "library", "import", "-", "--yes", "--json", text=good + "No Author,,\n")
    assert done.returncode == 65
    assert json.loads(done.stdout)["problems"][0]["field"] == "line 3"
    assert json.loads(done.stdout)["problems"][0]["message"].startswith("authors: ")
    done = club.run_as("ctdalek", "ceo", "library", "import", "-", "--yes", text=good)
    assert (done.returncode, done.stdout) == (0, "1 book is added.\n")


def test_books_that_are_there_need_a_decision(club: Club) -> None:
    """By title and authors where there is no ISBN; accents and capitals do not count."""
    title = f"Déjà vu of {club.name()}"
    text = f"title,authors,isbn\n{title},A. Writer; B. Writer,\n"
    more = f"title,authors,isbn\n{title.upper()},a. writer; b. writer,\n{title},B. Writer,\n"

    def run(text: str, *words: str) -> tuple[int, str, str]:
        done = club.run_as("ctdalek", "ceo", "library", "import", "-", "--yes", *words, text=text)
        return done.returncode, done.stdout, done.stderr

    assert run(text)[:2] == (0, "1 book is added.\n")
    for words in ((), ("--dry-run",)):
        status, _, said = run(more, *words)
        assert status == 65
        assert "line 2: the library has a book of this title by these authors already, as book " in said
        assert "--doubles skip" in said
    assert club.client("office1").books(q=title)["found"] == 1
    status, _, said = run("title,authors,isbn\n" + f"{title},A. Writer; B. Writer,\n" * 12)
    assert status == 65
    assert "\n  12 doubles: lines 2-13; --json names each\n" in said
    status, printed, said = run(more, "--doubles", "skip")
    assert (status, printed) == (0, "1 book is added.\n")
    assert "Left out, because the library has them: 1 book." in said
    assert club.client("office1").books(q=title)["found"] == 2
    assert run(more, "--doubles", "skip")[:2] == (0, "0 books are added.\n")
    assert run(text, "--doubles", "add")[:2] == (0, "1 book is added.\n")
    assert club.client("office1").books(q=title)["found"] == 3
    with pytest.raises(Invalid, match="can't be added"):
        club.client("office1").add_books([{"title": title, "authors": ["A. Writer", "B. Writer"]}])


def test_isbns_as_catalogues_write_them(club: Club) -> None:
    def isbn() -> tuple[str, str]:
        body = f"{random.randrange(10**9):09d}"
        return body + check_digit(body), f"978{body}" + check_digit(f"978{body}")

    title, numbers = f"Numbers of {club.name()}", [isbn() for _ in range(4)]
    cells = [f'"=""{numbers[0][0]}"""', f"ISBN {numbers[1][1]}", f"{numbers[2][0]} (pbk.)", f"[{numbers[3][0]}]"]
    text = "isbn,title,authors\n" + "".join(f"{cell},{title} {i},A. Writer\n" for i, cell in enumerate(cells))
    music = club.run_as("ctdalek", "ceo", "library", "import", "-", "--yes", text=f"{text}979-0-2600-0043-8,{title} 9,A\n")
    assert music.returncode == 65
    assert "line 6: isbn: this is an ISMN" in music.stderr
    done = club.run_as("ctdalek", "ceo", "library", "import", "-", "--yes", text=text)
    assert done.returncode == 0, done
    assert {book["isbn"] for book in club.client("office1").books(q=title)["books"]} == {thirteen for _, thirteen in numbers}


def test_a_book_that_is_twice_in_the_file_is_no_book_of_the_library(club: Club) -> None:
    for quiet in ((), ("--quiet",)):
        title = f"Twice {club.name()} JosÃ©"
        text = f"title,authors,copies\n{title},A. Writer,2\n{title},A. Writer,3\n"
        done = club.run_as("ctdalek", "ceo", "library", "import", "-", "--yes", "--doubles", "skip", *quiet, text=text)
        assert (done.returncode, done.stdout) == (0, "1 book is added.\n"), done
        if quiet:
            assert done.stderr == ""
            continue
        assert "the library has them" not in done.stderr
        assert "Left out, with its copies: line 3, because line 2 has the same book." in done.stderr
        assert "looks damaged" in done.stderr


def test_a_quiet_sign_up_of_many_notes_nothing(club: Club) -> None:
    text = f"uid,cn,program\n{club.name()},JosÃ© Person,CS\n"
    plan = ("ceo", "members", "import", "-", "--dry-run")
    assert "Note: " in club.run_as("ctdalek", *plan, text=text).stderr
    assert club.run_as("ctdalek", *plan, "--quiet", text=text).stderr == ""


def test_old_commands_under_their_old_names(club: Club) -> None:
    done = club.run_as("ctdalek", "ceo", "memberlist", "f2026")
    assert done.returncode == 0 and "Calum Dalek" in done.stdout
    assert club.run_as("ctdalek", "ceo", "memberlist", "x9").returncode == 65
    assert club.run_as("ctdalek", "ceo", "inactive", "3").returncode == 0
    assert club.run_as("ctdalek", "ceo", "expiredaccounts").returncode == 0
    assert club.run_as("ctdalek", "ceo", "updateprograms", "--dry-run").returncode == 0
    uid = club.add()["result"]["uid"]
    assert "Password:" in club.run_as("ctdalek", "ceo", "mysql", "create", uid).stdout


def test_a_request_as_it_is(club: Club) -> None:
    done = club.run_as("ctdalek", "ceo", "api", "GET", "/members/ctdalek")
    assert done.returncode == 0 and json.loads(done.stdout)["uid"] == "ctdalek"
    # The path's own host is found, a body comes from standard input, a stream comes line by line.
    uid = club.name()
    done = club.run_as("office1", "ceo", "api", "POST", "/members", "-", text=json.dumps(club.member(uid)))
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(events) > 10 and events[-1]["status"] == "completed"
    assert json.loads(club.run_as("ctdalek", "ceo", "api", "GET", f"/mailman/{uid}").stdout)["lists"] == ["csc-general"]
    assert club.run_as("ctdalek", "ceo", "api", "--host", "Mail", "GET", "/health?full").returncode == 0
    done = club.run_as("ctdalek", "ceo", "api", "GET", "/nope")
    assert (done.returncode, json.loads(done.stdout)["code"]) == (66, "not_found")
    assert club.run_as("ctdalek", "ceo", "api", "POST", "/members", "{").returncode == 65


def test_positions_groups_clubs_and_the_library(club: Club) -> None:
    def ceo(*words: str) -> str:
        done = club.run_as("ctdalek", "ceo", *words)
        assert done.returncode == 0, done
        return done.stdout

    club_uid, group, uid = club.name(), club.name(), club.add()["result"]["uid"]
    assert f"The club {club_uid} is ready" in ceo("clubs", "add", club_uid, "--cn", "A Club")
    assert "is ready" in ceo("groups", "add", group)
    assert ceo("groups", "add-member", group, uid) == f"{uid}, {group}: added\n"
    assert uid in ceo("groups", "get", group) and group in ceo("groups", "search", group)
    assert ceo("groups", "remove-member", group, uid, "--yes") == f"{uid}, {group}: removed\n"
    held = json.loads(ceo("positions", "get", "--json"))["positions"]["imapd"]
    wanted = [*held, uid]
    assert ceo("positions", "set", f"imapd={','.join(wanted)}", "--yes") == f"imapd: {' '.join(wanted)}\n"
    assert "Nothing changed" in ceo("positions", "set", f"imapd={','.join(wanted)}", "--yes")
    ceo("positions", "set", f"imapd={','.join(held)}", "--yes")
    told = json.loads(ceo("library", "add", "--title", f"Scripts of {uid}", "--author", "A. Writer", "--json"))
    number = str(told["book"])
    assert f"{uid} has Scripts of {uid} until" in ceo("library", "lend", number, uid)
    assert uid in ceo("library", "loans", uid) or "Scripts" in ceo("library", "loans", uid)
    assert "until" in ceo("library", "renew", number, uid)
    assert f"is back from {uid}" in ceo("library", "return", number)
    assert "2 copies" in ceo("library", "copies", number, "1")
    assert "/bin/sh" not in ceo("members", "get", uid) and "is changed" in ceo("members", "modify", uid, "--shell", "/bin/sh", "--yes")
    assert "/bin/sh" in ceo("members", "get", uid)
    assert ceo("mailman", "subscribe", uid, "events") == f"{uid} is on events.\n"
    assert ceo("mailman", "get", uid).split() == ["csc-general", "events"]


def test_a_dry_run_shows_the_steps_and_changes_nothing(club: Club) -> None:
    uid = club.name()
    words = ("ceo", "members", "add", uid, "--cn", "Dry Person", "--program", "Maths", "--dry-run")
    done = club.run_as("office1", *words)
    assert done.returncode == 0 and "LDAP user" in done.stdout and "mailing list  (after the commit)" in done.stdout
    assert [step["name"] for step in json.loads(club.run_as("office1", *words, "--json").stdout)["steps"]][:2] == ["user number", "LDAP user"]
    assert club.run_as("regular1", *words).returncode == 77
    club.nothing(uid)
    for more in (("members", "expire"), ("members", "remind"), ("updateprograms",), ("library", "remind"), ("members", "delete", "regular1"),
                 ("positions", "set", "imapd=regular1"), ("mysql", "create", "rep1"), ("mailman", "subscribe", "rep1", "events")):
        done = club.run_as("ctdalek", "ceo", *more, "--dry-run")
        assert done.returncode == 0, done
        json.loads(club.run_as("ctdalek", "ceo", *more, "--dry-run", "--json").stdout)
    assert "regular1" not in club.run_as("ctdalek", "ceo", "positions", "get").stdout and not club.on_list("rep1", "events")


# Import and export


BAD = ["BAD!,x,Maths,f2026", "TAKEN,Twice Person,Maths,f2026", "ctdalek,Calum Dalek,Maths,f2026", "ok-name,Some Body,Maths,x99",
       "root,Some Body,Maths,f2026", "nocn,,Maths,f2026", "noprog,Some Body,,f2026", "toolong,Some Body,Maths,f2026,,x"]


@pytest.fixture
def sheet(club: Club) -> Iterator[Path]:
    """Sixty rows, eight of them bad."""
    path = imports.write_sheet(club, 52, BAD)
    yield path
    for made in path.parent.glob(f"{path.stem}.*"):
        made.unlink()


def test_each_bad_row_is_named_and_nobody_is_added_unasked(club: Club, sheet: Path) -> None:
    for words in (("--dry-run",), ("--yes",)):
        done = club.run_as("ctdalek", "ceo", "members", "import", str(sheet), *words)
        assert done.returncode == 65
        named = {int(line.split()[1].rstrip(":")) for line in done.stderr.splitlines() if line.startswith("line ") and ": near " not in line}
        assert named == {*range(6, 14), 16} - {7}, done.stderr
    told = json.loads(club.run_as("ctdalek", "ceo", "members", "import", str(sheet), "--dry-run", "--json").stdout)
    assert (told["good"], len(told["bad"]), told["added"]) == (52, 8, [])
    assert not [uid for uid in imports.uids(sheet) if club.entries(f"(uid={uid})")]


def test_an_import_of_the_office_goes_on_too(club: Club) -> None:
    """Who may reset only those whom they signed up just now."""
    text = "uid,cn,program\n" + "".join(f"{club.name()},Office Person,Maths\n" for _ in range(3))
    done = club.run_as("office1", "ceo", "members", "import", "-", "--yes", text=text)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 3 and "3 accounts are ready" in done.stderr
    assert club.run_as("office1", "ceo", "members", "import", "-", "--yes", "--json", text=text).returncode == 2


def test_no_bar_is_among_the_passwords_on_a_terminal(club: Club, terminal: Open) -> None:
    uids = [club.name() for _ in range(2)]
    file = f"uid,cn,program\\n{uids[0]},Bar Person,CS\\n{uids[1]},Bar Person,CS\\n"
    script = f"printf '{file}' >~/{uids[0]}.csv; ceo members import ~/{uids[0]}.csv --yes"
    window = terminal("office1", "bash", "-c", f"{script}; ls ~/.local/state/ceo/import-*")
    window.see("2 accounts are ready")
    window.see("No such file")  # nothing is left of the import
    for uid in uids:
        assert re.search(rf"^{uid}  \S+$", "\n".join(map(str.rstrip, window.screen.display)), re.MULTILINE)


def test_an_output_file_that_can_not_be_made(club: Club) -> None:
    sheet = f"uid,cn,program\n{club.name()},Test Person,CS\n"
    done = club.run_as("office1", "ceo", "members", "import", "-", "--slips", "/none/x", "--dry-run", text=sheet)
    assert (done.returncode, done.stdout) == (73, "")
    assert done.stderr == "ceo: /none/x can't be made: there is no folder /none\n"
    full = "cd; ulimit -f 32; ceo members export --json --output full.json; echo $?; ls -A"
    done = club.run_as("office1", "bash", "-c", full)
    error, status, *files = done.stdout.splitlines()
    assert json.loads(error)["error"] == "full.json could not be written: File too large"
    assert status == "74"
    assert not [name for name in files if name == "full.json" or name.startswith(".ceo-")]


def test_export_is_what_import_takes(club: Club) -> None:
    """The whole club: whoever is in the file is refused only for being there, and as somebody new taken."""
    uid = club.add(cn='Quoted "Name", Jr.', program="Études, avancées")["result"]["uid"]
    formula = club.add(cn="=1+1+cmd", program="@SUM(1)")["result"]["uid"]
    rep = club.add(terms=None, non_member_terms=["f2026"])["result"]["uid"]
    both = club.add(terms=None, non_member_terms=["f2026"])["result"]["uid"]
    club.run_as("ctdalek", "ceo", "members", "renew", both, "--term", "w2027", "--yes")
    club_uid, deleted = club.name(), club.add()["result"]["uid"]
    club.run_as("ctdalek", "ceo", "clubs", "add", club_uid, "--cn", "A Club")
    club.run_as("ctdalek", "ceo", "members", "delete", deleted, "--yes")
    done = club.run_as("ctdalek", "ceo", "members", "export")
    rows = {row["uid"]: row for row in csv.DictReader(io.StringIO(done.stdout))}
    mine = rows[uid]
    assert (mine["cn"], mine["program"], mine["terms"]) == ('Quoted "Name", Jr.', "Études, avancées", "f2026")
    assert (rows[formula]["cn"], rows[formula]["program"]) == ("'=1+1+cmd", "'@SUM(1)")
    assert (rows[rep]["terms"], rows[rep]["non_member_terms"]) == ("", "f2026")
    assert (rows[both]["terms"], rows[both]["non_member_terms"]) == ("w2027", "")
    assert not {club_uid, deleted} & set(rows)
    assert "Note: left out, clubs: " in done.stderr
    assert "Note: left out, deleted: " in done.stderr
    assert "Note: representatives before they became members: " in done.stderr
    assert [row["uid"] for row in rows.values() if row["cn"][:1] in "=+-@"] == []
    words = club.run_as("ctdalek", "ceo", "members", "import", "-", "--dry-run", text=done.stdout)
    assert words.stderr == f"lines 2-{len(rows) + 1}: uid: there is an account UID already\n"
    again = club.run_as("ctdalek", "ceo", "members", "import", "-", "--dry-run", "--json", text=done.stdout)
    bad = json.loads(again.stdout)["bad"]
    assert {row["uid"] for row in bad} == set(rows)
    assert [row for row in bad if len(row["problems"]) != 1 or "there is an account" not in row["problems"][0]] == []
    # As people whom nobody knows.
    header, *lines = done.stdout.splitlines()
    new = "\n".join([header, *(f"{club.name()},{line.split(',', 1)[1]}" for line in lines)])
    taken = club.run_as("ctdalek", "ceo", "members", "import", "-", "--dry-run", text=new)
    assert (taken.returncode, taken.stdout) == (0, f"{len(rows)} rows can be added, 0 can't; nothing was changed.\n")
    assert "like a formula" in taken.stderr


def test_formulas_do_not_begin_a_cell_of_a_listing(club: Club) -> None:
    uid = club.add(cn="=HYPERLINK(1)", program="+1-519")["result"]["uid"]
    for words in (("members", "list"), ("members", "search", uid)):
        done = club.run_as("ctdalek", "ceo", *words, "--csv", "--columns", "uid,cn,program")
        rows = {row["uid"]: row for row in csv.DictReader(io.StringIO(done.stdout))}
        assert (rows[uid]["cn"], rows[uid]["program"]) == ("'=HYPERLINK(1)", "'+1-519"), words
    raw = json.loads(club.run_as("ctdalek", "ceo", "members", "get", uid, "--json").stdout)
    assert raw["cn"] == "=HYPERLINK(1)"


def test_what_looks_wrong_is_said_before_anybody_is_added(club: Club) -> None:
    uids = [club.name() for _ in range(3)]
    text = f'uid,cn,program\n{uids[0]},JosÃ© NÃºÃ±ez,CS\n{uids[1]},"Doe, Jane",CS\n{uids[2]},Ann Formula,"=HYPERLINK(""http://x.example/?""&A2)"\n'
    done = club.run_as("ctdalek", "ceo", "members", "import", "-", text=text)
    assert done.returncode == 2  # nobody is there to be asked
    for line, words in ((2, 'as if it was "José Núñez"'), (3, "has a comma"), (4, "like a formula")):
        assert [said for said in done.stderr.splitlines() if said.startswith(f"Note: line {line}: ") and words in said], done.stderr
    assert [entry["line"] for entry in json.loads(
        club.run_as("ctdalek", "ceo", "members", "import", "-", "--dry-run", "--json", text=text).stdout)["warnings"]] == [2, 3, 4]
    assert not [uid for uid in uids if club.entries(f"(uid={uid})")]


def test_files_that_are_no_import(club: Club) -> None:
    for text, says in (("a,b\n1,2\n", "has a column 'a'"), ("uid,cn\nx,y\n", "no column program"), ("uid,cn,program\n", "has column names and no rows"),
                       ("", "the file is empty"), ("uid,cn,program,cn\na,b,c,d\n", "has the column cn twice"),
                       ('uid,cn,program\na1a,Bob Bobson,CS\nb1b,"Bob"x,CS\n', "line 3 is not CSV")):
        done = club.run_as("ctdalek", "ceo", "members", "import", "-", "--yes", text=text)
        assert done.returncode == 65 and says in done.stderr and "Traceback" not in done.stderr, (text, done)
    for text, says in (("title,authors,title\na,b,c\n", "has the column title twice"), ("title;authors\na;\"b\"x\n", "line 2 is not CSV"), ("", "the file is empty")):
        done = club.run_as("ctdalek", "ceo", "library", "import", "-", "--yes", text=text)
        assert done.returncode == 65 and says in done.stderr and "Traceback" not in done.stderr, (text, done)


def test_a_transaction_that_is_left_can_be_followed_again(club: Club) -> None:
    last = club.add()
    done = club.run_as("office1", "ceo", "transactions", "follow", last["transaction"])
    assert done.returncode == 0 and "completed" in done.stdout and "LDAP user" in done.stderr
