"""A request as it comes in, a piece at a time; gunicorn's own parser says what its head means."""

from __future__ import annotations

import asyncio
import io
import re
from typing import Any

from gunicorn.http import errors as http_errors
from gunicorn.http.body import CHUNK_EXT_RE, ChunkedReader, LengthReader
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from ceo_common.errors import CeoError, HeaderTooLarge, Internal, Invalid, TooLarge
from ceod.server import limits

_LINE = b"\r\n"
_END_OF_HEAD = b"\r\n\r\n"
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_NO_REQUEST = "this is no HTTP request: "
_IN_WORDS: dict[type[Exception], str] = {
    http_errors.InvalidRequestLine: "its first line is malformed",
    http_errors.InvalidRequestMethod: "its method is malformed",
    http_errors.InvalidHTTPVersion: "ceod speaks HTTP/1.0 and HTTP/1.1",
    http_errors.InvalidHeaderName: "the name of a header is malformed",
    http_errors.InvalidHeader: "a header is malformed",
    http_errors.ObsoleteFolding: "a header is folded over two lines",
    http_errors.UnsupportedTransferCoding: "its Transfer-Encoding is not known here; chunked is",
    http_errors.ExpectationFailed: "it expects something else than 100-continue",
}


class Gone(Exception):
    """The client closed the connection."""


def refusal(error: Exception) -> CeoError:
    """What gunicorn's parser raised, as one of our errors.

    Its own words quote the request, in which a ticket may stand: they are neither logged nor sent.
    """
    if isinstance(error, http_errors.LimitRequestLine):
        return HeaderTooLarge("the first line of the request is too long")
    if isinstance(error, http_errors.LimitRequestHeaders):
        return HeaderTooLarge("a header is longer than 32 KiB, or there are more than 100")
    why = next((words for kind, words in _IN_WORDS.items() if isinstance(error, kind)), "it is malformed")
    return Invalid(_NO_REQUEST + why)


class Incoming:
    """One connection: the requests that a client sends, and the way back."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, config: Any, *, is_tls: bool
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.config = config  # gunicorn's
        self.is_tls = is_tls
        self.has_answered = False  # something of the answer to the latest request was sent
        self.buffer = bytearray()
        self._expects_continue = False

    async def _more(self) -> None:
        """Raises Gone."""
        data = await self.reader.read(limits.CHUNK_BYTES)
        if not data:
            raise Gone
        self.buffer += data

    async def begins(self) -> None:
        """Wait for the first byte of a request.  Raises Gone."""
        # Others have their turn first: what was sent ahead would otherwise be answered in one go.
        await asyncio.sleep(0)
        self.has_answered = False
        if not self.buffer:
            await self._more()

    async def head(self, peer: tuple[str, int], scheme: str) -> Request:
        """The next request without its body.  Raises Gone, HeaderTooLarge, Invalid."""
        seen = 0
        while (end := self.buffer.find(_END_OF_HEAD, max(0, seen - 3), limits.HEAD_BYTES)) < 0:
            if len(self.buffer) > limits.HEAD_BYTES:
                raise HeaderTooLarge("the headers of the request are longer than 96 KiB together")
            if self.buffer.count(b"\n", seen) != self.buffer.count(_LINE, max(0, seen - 1)):
                break  # this head never ends as RFC 9112 (2.2) wants it; the parser says so
            seen = len(self.buffer)
            await self._more()
        end = len(self.buffer) if end < 0 else end + len(_END_OF_HEAD)
        head = bytes(self.buffer[:end])
        del self.buffer[:end]
        try:
            request = Request(self.config, IterUnreader(iter([head])), peer)
        except (http_errors.ParseException, http_errors.NoMoreData, StopIteration) as error:
            raise refusal(error) from None
        # A header says nothing about it: the connection does.
        request.scheme = scheme
        self._expects_continue = request._expected_100_continue
        request._expected_100_continue = False  # gunicorn would say it before anybody wants the body
        return request

    async def body(self, request: Request, limit: int, *, keep: bool) -> bytes:
        """The body, or with keep=False an empty one once it was read.  Raises Gone, TooLarge, Invalid."""
        reader = request.body.reader
        is_chunked = isinstance(reader, ChunkedReader)
        length = reader.length if isinstance(reader, LengthReader) else 0
        if length > limit:
            raise _too_large(limit)
        if self._expects_continue and (is_chunked or length):
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if is_chunked:
            # What follows the last chunk is never taken for another request.
            request.force_close()
            return await self._chunks(request, limit, keep=keep)
        return await self._exactly(length, keep=keep)

    async def _exactly(self, length: int, *, keep: bool) -> bytes:
        body = bytearray()
        left = length
        while left:
            if not self.buffer:
                await self._more()
            piece = self.buffer[:left]
            del self.buffer[: len(piece)]
            left -= len(piece)
            if keep:
                body += piece
        return bytes(body)

    async def _chunks(self, request: Request, limit: int, *, keep: bool) -> bytes:
        """What chunks hold, with nothing but what RFC 9112 (7.1) allows between and behind them."""
        body = bytearray()
        total = 0
        for number in range(limits.CHUNKS):
            if number % 64 == 0:
                await asyncio.sleep(0)  # a thousand small ones keep nobody waiting
            text, semicolon, extension = (await self._line()).partition(b";")
            if semicolon:
                text = text.rstrip(b" \t")  # RFC 9112, 7.1.1
            if not _CHUNK_SIZE.fullmatch(text) or not CHUNK_EXT_RE.fullmatch(semicolon + extension):
                raise Invalid(_NO_REQUEST + "the line before a chunk of its body is malformed")
            size = int(text, 16)
            total += size
            if total > limit:
                raise _too_large(limit)
            if size == 0:
                await self._trailers(request)
                self.buffer.clear()
                return bytes(body)
            piece = await self._exactly(size, keep=keep)
            if await self._line():
                raise Invalid(_NO_REQUEST + "a chunk of its body has another length than it says")
            body += piece
        raise Invalid(f"the body comes in more than {limits.CHUNKS} chunks; send larger ones")

    async def _trailers(self, request: Request) -> None:
        lines = []
        length = 0
        while line := await self._line():
            lines.append(line)
            length += len(line)
            if length > limits.HEAD_BYTES or len(lines) > limits.TRAILERS:
                raise HeaderTooLarge("the trailers of the request are too long")
        try:
            if lines:
                request.parse_headers(_LINE.join(lines), from_trailer=True)
        except http_errors.ParseException as error:
            raise refusal(error) from None

    async def _line(self) -> bytes:
        """The next line of a chunked body.  Raises Gone, Invalid."""
        seen = 0
        while (end := self.buffer.find(_LINE, max(0, seen - 1))) < 0:
            seen = len(self.buffer)
            if seen > limits.CHUNK_LINE_BYTES:
                break
            await self._more()
        if not 0 <= end <= limits.CHUNK_LINE_BYTES:
            raise Invalid(_NO_REQUEST + "a line of its body is too long, or a chunk longer than it says")
        line = bytes(self.buffer[:end])
        del self.buffer[: end + len(_LINE)]
        if b"\r" in line or b"\n" in line:
            raise Invalid(_NO_REQUEST + "a line of its body does not end as it should")
        return line

    async def read_away(self) -> None:
        """Let the client finish, within bounds: it reads a refusal only then.  Raises TimeoutError when it has."""
        left = limits.LINGER_BYTES
        while left > 0:
            async with asyncio.timeout(limits.QUIET_CLIENT_S):
                data = await self.reader.read(limits.CHUNK_BYTES)
            if not data:
                return
            left -= len(data)

    async def send(self, data: bytes) -> None:
        """Send bytes, and wait until the client took most of them.  Raises TimeoutError, ConnectionError."""
        self.has_answered = self.has_answered or bool(data)
        self.writer.write(data)
        async with asyncio.timeout(limits.SEND_S):
            await self.writer.drain()

    async def close(self) -> None:
        """End the connection once everything is sent.  Raises TimeoutError, OSError."""
        self.writer.close()
        async with asyncio.timeout(limits.SEND_S):
            await self.writer.wait_closed()

    def abort(self) -> None:
        """End it now."""
        self.writer.transport.abort()


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body of a request may have {limit >> 20} MiB at most")


def unforeseen() -> Internal:
    """What a client hears of an error that is in the log."""
    return Internal("an unexpected error happened in ceod; its log has the details")


def as_input(environ: dict[str, Any], body: bytes) -> None:
    """Give an application the body, of which the length is known by now."""
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
