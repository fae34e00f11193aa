"""A request as it comes in, a piece at a time; gunicorn's own parser says what it means."""

from __future__ import annotations

import asyncio
import io
from typing import Any

from gunicorn.http import errors as http_errors
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from ceo_common.errors import CeoError, HeaderTooLarge, Invalid, TooLarge
from ceod.server import limits

_END_OF_HEAD = b"\r\n\r\n"
_IN_WORDS: dict[type[Exception], str] = {
    http_errors.InvalidRequestLine: "its first line is malformed",
    http_errors.InvalidRequestMethod: "its method is malformed",
    http_errors.InvalidHTTPVersion: "ceod speaks HTTP/1.0 and HTTP/1.1",
    http_errors.InvalidHeaderName: "the name of a header is malformed",
    http_errors.InvalidHeader: "a header is malformed",
    http_errors.ObsoleteFolding: "a header is folded over two lines",
    http_errors.UnsupportedTransferCoding: "its Transfer-Encoding is not known here; chunked is",
    http_errors.ExpectationFailed: "it expects something else than 100-continue",
    http_errors.InvalidChunkSize: "the size of a chunk is malformed",
    http_errors.InvalidChunkExtension: "the extension of a chunk is malformed",
    http_errors.ChunkMissingTerminator: "a chunk has another length than it says",
    http_errors.NoMoreData: "its body ends too early",
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
    return Invalid(f"this is no HTTP request: {why}")


class Incoming:
    """One connection: the requests that a client sends, and the way back."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, config: Any, *, is_tls: bool
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.config = config  # gunicorn's
        self.is_tls = is_tls
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
        if not self.buffer:
            await self._more()

    async def head(self, peer: tuple[str, int], scheme: str) -> Request:
        """The next request without its body.  Raises Gone, HeaderTooLarge, Invalid."""
        while (end := self.buffer.find(_END_OF_HEAD, 0, limits.HEAD_BYTES)) < 0:
            if len(self.buffer) > limits.HEAD_BYTES:
                raise HeaderTooLarge("the headers of the request are longer than 96 KiB together")
            if self.buffer.count(b"\n") != self.buffer.count(b"\r\n"):
                break  # this head never ends as RFC 9112 (2.2) wants it; the parser says so
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
            raise TooLarge(f"the body of a request may have {limit >> 20} MiB at most")
        if self._expects_continue and (is_chunked or length):
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if is_chunked:
            # What follows the last chunk is never taken for another request.
            request.force_close()
            raw = await self._chunks(limit, keep=keep)
            return self._dechunked(request, raw) if keep else b""
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

    async def _chunks(self, limit: int, *, keep: bool) -> bytes:
        """Chunks and trailers as they came (RFC 9112, 7.1), or as far as they can be made out."""
        at = total = 0
        while True:
            line = await self._find(b"\r\n", at, limits.CHUNK_LINE_BYTES)
            try:
                size = int(self.buffer[at:line].partition(b";")[0], 16)
            except ValueError:
                break  # the parser finds the words
            total += abs(size)
            if total > limit or at > limits.CHUNKED_BYTES:
                raise TooLarge(f"the body of a request may have {limit >> 20} MiB at most")
            if size == 0:
                await self._find(_END_OF_HEAD, line, limits.HEAD_BYTES)
                break
            at = line + 2 + size + 2
            while len(self.buffer) < at:
                await self._more()
            if not keep:
                del self.buffer[:at]
                at = 0
        raw = bytes(self.buffer)
        self.buffer.clear()
        return raw

    async def _find(self, what: bytes, start: int, within: int) -> int:
        while (found := self.buffer.find(what, start)) < 0:
            if len(self.buffer) - start > within:
                raise Invalid("this is no HTTP request: a line of its body is too long")
            await self._more()
        return found

    def _dechunked(self, request: Request, raw: bytes) -> bytes:
        try:
            return bytes(Body(ChunkedReader(request, IterUnreader(iter([raw])))).read())
        except (http_errors.ParseException, http_errors.NoMoreData) as error:
            raise refusal(error) from None

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


def as_input(environ: dict[str, Any], body: bytes) -> None:
    """Give an application the body, of which the length is known by now."""
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
