"""The bytes that a terminal sends: keys, pastes, and its answer about the background's colour."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

PASTE_LOST_S = 1.0  # a paste ends by itself when nothing of it came for so long
ANSWER_LOST_S = 0.2
ASK_BACKGROUND = "\x1b]11;?\x1b\\"  # xterm, control sequences: OSC 11

_BEGIN, _END = b"\x1b[200~", b"\x1b[201~"  # xterm, control sequences: bracketed paste mode
_CTRL_C = b"\x03"
_KEPT = 1 << 16  # bytes of a paste: more than any field takes
_ANSWER = re.compile(
    rb"\x1b\]11;rgba?:([0-9A-Fa-f]{1,4})/([0-9A-Fa-f]{1,4})/([0-9A-Fa-f]{1,4})"
    rb"[^\x07\x1b]{0,8}(?:\x07|\x1b\\)"
)
_ANSWER_BEGINS = re.compile(rb"\x1b\](?:1(?:1(?:;[^\x07\x1b]{0,32}\x1b?)?)?)?\Z")

# Escape sequences (ECMA-48: control sequences, single shifts, control strings, two characters).
_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[NO].|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]")
_BLANKS = re.compile(r"\r\n|[\t\n\v\f\r\x85\u2028\u2029]")
_JOINERS = "\u200c\u200d"  # part of words in Persian and the scripts of India


@dataclass(frozen=True)
class Typed:
    """Bytes of keys and of the mouse."""

    data: bytes


@dataclass(frozen=True)
class Pasted:
    """Text for one line.  `is_cut` when it was longer than what is kept of a paste."""

    text: str
    is_cut: bool = False


@dataclass(frozen=True)
class Background:
    """The terminal's background."""

    is_light: bool


Part = Typed | Pasted | Background


class Incoming:
    """Separates pastes and answers from keys, however the bytes are cut into reads."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self._encoding = encoding
        self._paste: bytearray | None = None  # what came of a paste whose end has not come
        self._is_cut = False
        self._last = b""  # the last bytes of the paste: a part of its end may be among them
        self._may_go_on = False  # whether a paste has ended by itself, and its rest may come yet
        self._answer = b""  # the beginning of an answer

    @property
    def waits_s(self) -> float:
        """Seconds after which `lost` is due if nothing comes; 0 when nothing is unfinished."""
        if self._paste is not None:
            return PASTE_LOST_S
        return ANSWER_LOST_S if self._answer else 0

    def feed(self, data: bytes) -> list[Part]:
        """The parts that are whole now, in order."""
        parts: list[Part] = []
        data, self._answer = self._answer + data, b""
        if self._may_go_on and data:
            self._may_go_on = False
            if _is_more_of_paste(data):
                self._begin_paste()
        while data:
            if self._paste is not None:
                data = self._more(data, parts)
                continue
            begin = data.find(_BEGIN)
            typed, data = (data, b"") if begin < 0 else (data[:begin], data[begin + len(_BEGIN) :])
            if begin >= 0:
                self._begin_paste()
            self._keys(typed, parts, at_end=begin < 0)
        return parts

    def lost(self) -> list[Part]:
        """The rest of something did not come: end it, so that no key is dead.

        The rest of a paste may come after a longer stall: it stays text, and presses no key.
        A Ctrl-C at the end of such a paste was pressed by somebody who waits for its end.
        """
        if self._paste is not None:
            self._keep(self._last)
            was_pressed = self._last.endswith(_CTRL_C)
            self._may_go_on = not was_pressed
            parts: list[Part] = [self._ended()]
            return [*parts, Typed(_CTRL_C)] if was_pressed else parts
        answer, self._answer = self._answer, b""
        return [Typed(answer)] if answer and not answer.startswith(b"\x1b]11;") else []

    def _begin_paste(self) -> None:
        self._paste, self._is_cut, self._last = bytearray(), False, b""

    def _keys(self, data: bytes, parts: list[Part], *, at_end: bool) -> None:
        while answer := _ANSWER.search(data):
            parts += [Typed(data[: answer.start()])] if answer.start() else []
            parts.append(Background(_is_light(*answer.groups())))
            data = data[answer.end() :]
        if at_end and (begins := _ANSWER_BEGINS.search(data)):
            data, self._answer = data[: begins.start()], data[begins.start() :]
        if data:
            parts.append(Typed(data))

    def _more(self, data: bytes, parts: list[Part]) -> bytes:
        """Take what belongs to the paste; the bytes behind its end."""
        data = self._last + data
        end = data.find(_END)
        if end >= 0:
            self._keep(data[:end])
            parts.append(self._ended())
            return data[end + len(_END) :]
        hold = len(_END) - 1
        self._keep(data[:-hold])
        self._last = data[-hold:]
        return b""

    def _keep(self, data: bytes) -> None:
        assert self._paste is not None
        room = _KEPT - len(self._paste)
        self._is_cut = self._is_cut or len(data) > room
        self._paste += data[:room]

    def _ended(self) -> Pasted:
        assert self._paste is not None
        data, self._paste, self._last = bytes(self._paste), None, b""
        return Pasted(line(decoded(data, self._encoding)), self._is_cut)


def _is_more_of_paste(data: bytes) -> bool:
    """Whether what comes after a stall in a paste is its rest: more than one key, or its end.

    Bytes come in the order in which they were sent, so that a single key says that the end is lost.
    """
    text = data.split(b"\x1b")[0].decode("utf-8", "replace")
    return _END in data or len(text) > 1


def decoded(data: bytes, encoding: str) -> str:
    """The text: UTF-8 wherever the bytes are that, else the locale's; what is neither is left out."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8" if encoding == "ascii" else encoding, "ignore")


def line(text: str) -> str:
    """Text for a field of one line.

    Line ends at its end are dropped, those inside and tabs are blanks.  Escape sequences and
    control characters are left out, so that nothing in a paste acts.
    """
    text = _BLANKS.sub(" ", _SEQUENCES.sub("", text).rstrip("\r\n"))
    return "".join(c for c in text if c in _JOINERS or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def _is_light(red: bytes, green: bytes, blue: bytes) -> bool:
    """Whether the colour is nearer to white than to black (luma of ITU-R BT.601)."""
    r, g, b = (int(part, 16) / float(16 ** len(part) - 1) for part in (red, green, blue))
    return 0.299 * r + 0.587 * g + 0.114 * b > 0.5
