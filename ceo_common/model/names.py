"""What usernames, people's names, programs and forwarding addresses may look like.

The command line reads this at its start: no third-party import outside of a function.
"""

from __future__ import annotations

import re
import unicodedata

from ceo_common.text import UNSAFE, is_needed_joiner

_USERNAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
# As slapd has it (etc/slapd-acl.conf), the shell of deleted accounts left out.
_SHELL = re.compile(r"/(usr/)?bin/[a-z0-9]+")

TEXT_LIMIT = 128  # characters that one sees
_BYTES_A_CHARACTER = 4  # of UTF-8: slapd's limit for a name (etc/slapd-acl.conf) is in bytes
ADDRESSES_LIMIT = 16
FULL_NAME_LEAST = 2

# Default_Ignorable_Code_Point of Unicode (DerivedCoreProperties.txt), the two joiners included:
# nothing is drawn for them.  The last one, an empty Braille pattern, is a blank.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f-\u1160\u17b4-\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\u2800]"
)
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Variation selectors choose how the character before them is drawn.  They stand where Unicode has
# a use for them (StandardizedVariants.txt, emoji-variation-sequences.txt, UTS 37): behind an
# ideograph, a Mongolian, Burmese or Phags-pa letter, a symbol, and in a keycap.
_SELECTOR = re.compile(
    f"[\ufe00-\ufe0f\U000e0100-\U000e01ef](?<=[{_IDEOGRAPHS}].)"
    "|[\u180b-\u180d\u180f](?<=[\u1820-\u18aa].)"
    "|\ufe00(?<=[\u1000-\u107f\uaa60-\uaa7f\ua840-\ua877].)"
    "|[\ufe0e\ufe0f](?<=[\u00a9\u00ae\u203c\u2049\u2100-\u27bf\u2900-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff].)"
    "|\ufe0f(?<=[#*0-9].)(?=\u20e3)"
)
_WHOLE_NAME = re.compile(f"[{_IDEOGRAPHS}\uac00-\ud7a3]")  # to 힣, the last Hangul syllable
_UNSEEN = UNSAFE | {"Zs", "Mn", "Mc", "Me"}
_LOST = "\ufffd"  # REPLACEMENT CHARACTER: what a program writes for bytes that it can't read
# Burmese and Tibetan need up to six marks on a letter; those that pile up above or below it, in
# any language that people write their names in, are two at most.
_MARKS_LIMIT, _PILE_LIMIT = 6, 2
_PILED_UP = 200  # canonical combining classes from here on are above, below and beside the letter

_ATEXT = r"[A-Za-z0-9_&*+=?^{}~!%#'-]"
# The first character is nothing that a mailer takes for an option, a comment or a home directory.
_LOCAL_PART = re.compile(rf"(?![-#~]){_ATEXT}+(?:\.{_ATEXT}+)*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_ADDRESS_LIMIT, _LOCAL_PART_LIMIT = 254, 64  # RFC 5321, 4.5.3.1
_THIS_HOST = ("localhost", "localhost.localdomain")


def username_problem(name: str) -> str | None:
    """Why this can't be a username, or None."""
    if _USERNAME.fullmatch(name):
        return None
    if _USERNAME.fullmatch(small := name.lower()):
        return f"a username is written in small letters: {small}"
    return "a username is 1 to 32 of a-z, 0-9, _ and -, and begins with a letter"


def is_shell(path: str) -> bool:
    """Whether slapd takes this path for a login shell."""
    return _SHELL.fullmatch(path) is not None


def normal(text: str) -> str:
    """The text as it is stored: composed (NFC), and with plain blanks for those of other widths."""
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFC", text)
    return "".join(" " if unicodedata.category(c) == "Zs" else c for c in composed)


def _characters_seen(text: str) -> int:
    """How many characters one sees: marks belong to their letters, blanks do not count."""
    return sum(unicodedata.category(c) not in _UNSEEN for c in _INVISIBLE.sub("", text))


def _marks_problem(text: str) -> str | None:
    """Marks, such as accents, need a letter, and there are only so many on one."""
    letter = False
    marks = piled = 0
    for character in text:
        if not unicodedata.category(character).startswith("M"):
            letter, marks, piled = not character.isspace(), 0, 0
            continue
        marks += 1
        piled += unicodedata.combining(character) >= _PILED_UP
        if not letter:
            return f"has a mark ({_code_point(character)}) without a letter"
        if marks > _MARKS_LIMIT or piled > _PILE_LIMIT:
            return "has too many marks on one letter"
    return None


def _code_point(character: str) -> str:
    return f"U+{ord(character):04X}"


def text_problem(text: str, what: str, limit: int = TEXT_LIMIT) -> str | None:
    """Why this can't be a name, a program or the like, or None.

    It has to show something, and to hold nothing invisible but what scripts need: joiners, and
    selectors behind a character that they change.  The limit counts the characters that one sees,
    however they were typed.
    """
    stored = normal(text)
    if not stored.strip():
        return f"{what} is empty"
    if stored != stored.strip():
        return f"{what} begins or ends with a blank"
    if not (stored.isascii() and stored.isprintable()):
        text = _SELECTOR.sub("", stored)
        seen = _characters_seen(text)
        if not seen:
            return f"{what}: there is nothing to be seen in it"
        if problem := _character_problem(text) or _marks_problem(text):
            return f"{what} {problem}"
        length = seen + text.count(" ")
    else:
        length = len(stored)
    if length > limit:
        return f"{what} has more than {limit} characters"
    if len(stored.encode()) > _BYTES_A_CHARACTER * limit:
        return f"{what} is longer than {_BYTES_A_CHARACTER * limit} bytes"
    return None


def _character_problem(text: str) -> str | None:
    invisible = {match.start() for match in _INVISIBLE.finditer(text)}
    for index, character in enumerate(text):
        kind = unicodedata.category(character)
        if (kind in UNSAFE or index in invisible) and not is_needed_joiner(text, index):
            return f"has a control or invisible character in it: {_code_point(character)}"
        if character == _LOST:
            return f"has a character in it that was lost on the way ({_LOST}): type it again"
        # For private use, or for none: each font draws its own box.
        if kind == "Co" or ord(character) & 0xFFFE == 0xFFFE:
            return f"has a character in it that is none: {_code_point(character)}"
    return None


def full_name_problem(name: str, uid: str) -> str | None:
    """Why this can't be the full name of uid, or None: at least 2 characters, not the username.

    A letter is among them, of any script.  In 2010 it was 4; 李明 and Bo are names.  One ideograph or Hangul syllable is a name too: 김.
    """
    if problem := text_problem(name, "the full name"):
        return problem
    stored = normal(name)
    if _characters_seen(stored) < FULL_NAME_LEAST and not _WHOLE_NAME.match(stored):
        return "the full name is one character alone: type the whole name"
    if not any(unicodedata.category(character).startswith("L") for character in stored):
        return "the full name has no letter in it: type the person's name"
    if name == uid:
        return "the full name is the username; ask for the person's name"
    return None


def address_problem(address: str) -> str | None:
    """Why mail can't be forwarded there, or None: an address, never a pipe, a file or an include.

    The name before the @ is one of RFC 5321 without quotes; what means something to a mailer or to
    a shell is left out of it: / | $ `.  The domain is one of the DNS; one of other letters than
    a-z is written in its form for the DNS, which begins with xn--.
    """
    local_part, _, domain = address.rpartition("@")
    if address.startswith("-"):
        return "a forwarding address does not begin with -"
    if not _LOCAL_PART.fullmatch(local_part):
        return (
            "a forwarding address looks like name@example.org; pipes, files, quotes and lists are"
            " not allowed"
        )
    if len(local_part) > _LOCAL_PART_LIMIT or len(address) > _ADDRESS_LIMIT:
        return (
            f"a forwarding address has at most {_LOCAL_PART_LIMIT} characters before the @ and"
            f" {_ADDRESS_LIMIT} in all"
        )
    if not domain.isascii():
        return f"write the domain {domain} as the DNS does, which begins with xn--"
    labels = domain.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):
        return (
            "a forwarding address ends with a domain such as example.org: letters, digits and -,"
            " with dots between them"
        )
    return None


def club_user(address: str, domain: str) -> str | None:
    """The user of the club whom an address reaches, or None for an address elsewhere.

    All of the club's hosts deliver to the same homes, so each name under the domain counts.  What
    follows a + is the user's own (the recipient delimiter of mail servers).  Routes through the
    club's server (name%host@domain, host!name@domain) are read as it reads them.
    """
    local_part, _, host = address.lower().rpartition("@")
    while True:
        if host != domain and not host.endswith(f".{domain}") and host not in _THIS_HOST:
            return None
        if "!" in local_part:
            host, _, local_part = local_part.partition("!")
        elif "%" in local_part:
            local_part, _, host = local_part.rpartition("%")
        else:
            return local_part.partition("+")[0]
