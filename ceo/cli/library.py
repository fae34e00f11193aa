"""ceo library: the books, and who has them."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from ceo.cli import completion
from ceo.cli.context import Context, pass_context
from ceo.cli.library_import import import_
from ceo.cli.noun import Noun
from ceo.cli.number import Number
from ceo.cli.table import Form, json_option, listing, print_json, print_record, print_rows
from ceo.cli.write import How, change, print_changes, writing
from ceo_common.errors import Invalid, NotFound, WrongState
from ceo_common.model import isbn as isbn_rules

Json = dict[str, Any]
_LOANS = "book title uid due_on overdue"


@click.group(cls=Noun)
def library() -> None:
    """The library's books and loans."""


library.add_command(import_)


@library.command()
@click.argument("words", nargs=-1)
@click.option(
    "--limit", type=Number(1, 1000), default=50, show_default=True, help="How many at most."
)
@listing
@pass_context
def search(context: Context, words: tuple[str, ...], limit: int, form: Form) -> None:
    """Find books by words, or parts of words, of the title, the authors or the ISBN; the best match first.

    Example: ceo library search kernighan programming
    """
    text = " ".join(words).strip()
    page = context.client.books(size=limit, **({"q": text} if text else {}))
    if not page["books"]:
        raise NotFound("no book was found")
    if form.as_json:
        print_json({"books": page["books"], "found": page["found"]})
        return
    print_rows(page["books"], "Book", "book title authors year copies_in", form, {"authors": lambda row: "; ".join(row["authors"])})
    if page["found"] > limit:
        click.echo(f"ceo: the first {limit} of {page['found']}; more with --limit", err=True)


@library.command()
@click.argument("book")
@json_option
@pass_context
def get(context: Context, book: str, as_json: bool) -> None:
    """Show a book and who has borrowed it; BOOK is its number or its ISBN.

    Example: ceo library get 9780131103627
    """
    told = _book(context, book)
    if as_json:
        print_json(told)
        return
    rows = [("Book", told["book"]), ("Title", told["title"]), ("Authors", "; ".join(told["authors"])), ("ISBN", told["isbn"]), ("Year", told["year"]),
            ("Edition", told["edition"]), ("Publisher", told["publisher"]), ("Copies", f"{told['copies_in']} of {told['copies']} in"),
            ("Due back", told["due_back"])]
    print_record([(name, str(value)) for name, value in rows if value])


@library.command()
@click.option("--title", help="The title.")
@click.option("--author", "authors", multiple=True, help="An author; may be repeated.")
@click.option("--isbn", help="Ten or thirteen digits, with or without hyphens.")
@click.option("--year", type=int, help="The year.")
@click.option("--edition", help="The edition, such as 2nd.")
@click.option("--publisher", help="The publisher.")
@click.option("--copies", type=int, default=1, show_default=True, help="How many copies there are.")
@writing
@pass_context
def add(context: Context, /, how: How, **given: Any) -> None:
    """Add a book, by its ISBN or without one.

    Example: ceo library add --title "Programming Perl" --author "Larry Wall" --isbn 9780596000271 --dry-run
    """
    if missing := [f"--{name}" for name, value in (("title", given["title"]), ("author", given["authors"])) if not value]:
        raise click.UsageError(f"missing: {', '.join(missing)}")
    book = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items() if value is not None}
    change(context, how, lambda client: client.add_book(book), lambda told: f"Book {told['book']}: {told['title']}, {_copies(told['copies'])}.")


@library.command()
@click.argument("book")
@click.argument("count", type=int, default=1)
@writing
@pass_context
def copies(context: Context, book: str, count: int, how: How) -> None:
    """Add copies of a book that the library has.

    Example: ceo library copies 9780131103627 2 --dry-run
    """
    number = _book(context, book)["book"]
    change(context, how, lambda client: client.add_copies(number, count), lambda told: f"Of {told['title']} there are {_copies(told['copies'])} now.")


@library.command()
@click.argument("book")
@click.argument("uid", shell_complete=completion.uids)
@click.option("--copy", "which", type=int, help="The number of the copy.")
@writing
@pass_context
def lend(context: Context, book: str, uid: str, which: int | None, how: How) -> None:
    """Lend a book to a member; BOOK is its number or its ISBN.

    Example: ceo library lend 9780131103627 ctdalek --dry-run
    """
    number = _book(context, book)["book"]
    change(context, how, lambda client: client.lend(number, uid, which), partial(_has_until, how))


@library.command(name="return")
@click.argument("book")
@click.argument("uid", required=False, shell_complete=completion.uids)
@writing
@pass_context
def return_(context: Context, book: str, uid: str | None, how: How) -> None:
    """Record that a book was returned; UID may be left out where only one person has it.

    Example: ceo library return 9780131103627 ctdalek --dry-run
    """
    number = _book(context, book)["book"]
    who = _only_reader(context, number) if uid is None else uid
    how.exact("library return", str(number), who)
    change(context, how, lambda client: client.give_back(number, who), partial(_is_back, how))


def _only_reader(context: Context, number: int) -> str:
    loans = context.client.loans_of_book(number)
    if not loans:
        raise NotFound("nobody has borrowed this book")
    if len(loans) > 1:
        raise WrongState(f"say who returns it: {', '.join(loan['uid'] for loan in loans)} have it")
    return str(loans[0]["uid"])


@library.command()
@click.argument("book")
@click.argument("uid", shell_complete=completion.uids)
@writing
@pass_context
def renew(context: Context, book: str, uid: str, how: How) -> None:
    """Renew a loan of a member of this term for two more weeks, once.

    Example: ceo library renew 9780131103627 ctdalek --dry-run
    """
    number = _book(context, book)["book"]
    change(context, how, lambda client: client.renew_loan(number, uid), partial(_has_until, how))


@library.command()
@click.argument("number", metavar="[CHANGE]", type=Number(1), required=False)
@writing
@pass_context
def undo(context: Context, number: int | None, how: How) -> None:
    """Undo a loan, return or renewal of yours that is less than a minute old: the last one, or the one of that number.

    Example: ceo library undo --dry-run
    """
    if number is None:
        last = _last_change(context)
        number = int(last["change"])
        how.confirm(f"Undo {_change_in_words(last)}?")
    how.exact("library undo", str(number))
    change(context, how, lambda client: client.undo_loan_change(number), lambda undone: f"Undone: {_change_in_words(undone)}.")


def _last_change(context: Context) -> Json:
    """Raises NotFound."""
    changes = context.client.loan_changes()
    if not changes:
        raise NotFound("you lent, renewed and took back no book within the last minute: there is nothing to undo")
    return changes[0]


def _change_in_words(loan_change: Json) -> str:
    loan = loan_change["loan"]
    noun = {"lend": "loan", "return": "return", "renew": "renewal"}[loan_change["kind"]]
    return f"the {noun} of {loan['title']} ({loan['uid']})"


def _has_until(how: How, loan: Json) -> str:
    _note_undo(how, loan)
    return f"{loan['uid']} has {loan['title']} until {loan['due_on']}."


def _is_back(how: How, loan: Json) -> str:
    _note_undo(how, loan)
    return f"{loan['title']} is back from {loan['uid']}."


def _note_undo(how: How, loan: Json) -> None:
    how.note(f"Within a minute you can undo this: ceo library undo {loan['change']}")


@library.command()
@click.argument("uid", required=False, shell_complete=completion.uids)
@listing
@pass_context
def loans(context: Context, uid: str | None, form: Form) -> None:
    """List all loans, or those of one person.

    Example: ceo library loans regular1
    """
    rows = _every_loan(context) if uid is None else context.client.loans_of(uid)
    print_json({"loans": rows}) if form.as_json else print_rows(rows, "Loan", _LOANS, form)


def _every_loan(context: Context) -> list[Json]:
    page = context.client.loans(size=1000)
    rows: list[Json] = page["loans"]
    while page["next"]:
        page = context.client.loans(size=1000, after=page["next"])
        rows += page["loans"]
    return rows


@library.command()
@listing
@pass_context
def overdue(context: Context, form: Form) -> None:
    """List the overdue loans, the longest overdue first.

    Example: ceo library overdue
    """
    rows = context.client.overdue()
    print_json({"loans": rows}) if form.as_json else print_rows(rows, "Loan", _LOANS, form)


@library.command()
@writing
@pass_context
def remind(context: Context, how: How) -> None:
    """Mail a reminder to everybody with overdue books, at most once a week about each.

    Example: ceo library remind --dry-run
    """
    client = context.client
    how.exact("library remind")
    if not how.may_repeat:
        plan = client.overdue_mails()
        if how.dry_run or not plan["mails"]:
            if how.as_json:
                print_json(plan)
            else:
                print_changes(plan["changes"])
                click.echo(f"{len(plan['mails'])} would be mailed; nothing was sent.")
            return
        how.confirm(f"Mail {len(plan['mails'])} who have overdue books?")
    client.key = how.key
    told = context.result = client.send_overdue_mails()
    if how.as_json:
        print_json(told)
        return
    click.echo(f"{len(told['mails'])} were mailed.")
    for what, uids in (
        ("their account is gone", told["gone"]),
        ("their entry in the directory is broken", told["broken"]),
        ("the mail server refused them", told["refused"]),
    ):
        if uids:
            how.note(f"Not mailed, {what}: {', '.join(uids)}")


def _book(context: Context, told: str) -> Json:
    """The book of a number or an ISBN.  Raises NotFound."""
    if isbn_rules.problem(told) is None:
        found = context.client.books(q=told)["books"]
        if not found:
            raise NotFound(f"the library has no book with the ISBN {told}")
        return dict(found[0])
    digits = isbn_rules.stripped(told)
    if len(digits) in (10, 13) and digits[:-1].isdecimal():
        raise Invalid(f"{told}: {isbn_rules.problem(told)}")
    if not told.isdecimal() or len(told) > 9:
        raise Invalid(f"{told!r} is neither a book's number nor an ISBN; to find one: ceo library search WORDS")
    return context.client.book(int(told))


def _copies(count: int) -> str:
    return f"{count} {'copy' if count == 1 else 'copies'}"
