"""A manual page in roff, as man(7) has it."""

from __future__ import annotations

import re


class Page:
    """One page, from its head to its end; every text is plain, and `words` in backquotes are set in bold."""

    def __init__(self, name: str, section: int, does: str, version: str) -> None:
        self.name, self.section = name, section
        # No date: the same tree makes the same page.  Nothing is hyphenated: most of what is long is typed.
        self._lines = [f'.TH "{name.upper()}" {section} "" "ceo {version}" "CSC Electronic Office"', ".nh", ".ad l",
                       ".SH NAME", f"{_plain(name)} \\- {_plain(does)}"]

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.{self.section}"

    def head(self, title: str) -> None:
        """Begin a section."""
        self._lines.append(f'.SH "{_quoted(title)}"')

    def below(self, title: str) -> None:
        """Begin a section within the section."""
        self._lines.append(f'.SS "{_quoted(title)}"')

    def paragraph(self, text: str) -> None:
        """A paragraph, filled."""
        self._lines += [".PP", _line(text)]

    def entry(self, term: str, text: str) -> None:
        """A term and, set in below it, what it means; a first word is bold and so are options, the rest are to be replaced."""
        words = [f"\\fB{_plain(word)}\\fP" if not i or word.startswith("-") else f"\\fI{_plain(word)}\\fP" for i, word in enumerate(term.split())]
        self._lines += [".TP", " ".join(words), _line(text)]

    def code(self, *lines: str) -> None:
        """Lines as they are typed."""
        self._lines += [".PP", ".RS 4", ".nf", *(_line(line, fill=False) for line in lines), ".fi", ".RE"]

    def text(self) -> str:
        """The file's text."""
        return "\n".join(self._lines) + "\n"


def _plain(text: str) -> str:
    # \- is the minus of a keyboard: what is copied from the page works.
    return text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("|", "|\\:")


def _quoted(text: str) -> str:
    return _plain(text).replace("\n", " ")


def _line(text: str, *, fill: bool = True) -> str:
    """What can't be taken for a request of roff's."""
    made = _plain(" ".join(text.split()) if fill else text)
    made = re.sub(r"`([^`]+)`", r"\\fB\1\\fP", made)
    return f"\\&{made}" if made.startswith((".", "'")) else made
