"""How a connection to a host is made: all its addresses are tried, and what fails has words.

A connection that is not made raises a CeoError from within requests.  So whatever requests raises
itself is about a request that may have reached the host.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import ssl
import time

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import SSLError
from urllib3.util.ssl_ import create_urllib3_context

from ceo_common.errors import Unreachable

_STAGGER_S = 0.25  # RFC 8305, section 5: Connection Attempt Delay


def session(ca: str) -> requests.Session:
    """A session that trusts `ca`, a file of PEM certificates, and takes nothing from the environment.

    Its requests raise Unreachable too.  Raises Unreachable when `ca` is no file.
    """
    if not os.path.isfile(ca):  # requests would say so only where it may have sent something
        raise Unreachable(f"there is no file {ca!r}, which says whose certificates to trust")
    made = requests.Session()
    made.trust_env = False
    made.verify = ca
    adapter = HTTPAdapter()
    adapter.poolmanager.pool_classes_by_scheme = {"https": _Pool}
    made.mount("https://", adapter)
    return made


def connect(host: str, port: int, timeout: float) -> socket.socket:
    """A connection to the first address of a host that answers.

    A dead address costs a quarter of a second, not the whole time (RFC 8305, "Happy Eyeballs").
    Raises UnicodeError (no name of a host), OSError: gaierror, TimeoutError, or what the last
    address said.
    """
    waiting = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    end, problem = time.monotonic() + timeout, OSError(errno.EADDRNOTAVAIL, "no address")
    trying: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or trying:
                if waiting:
                    family, kind, protocol, _, address = waiting.pop(0)
                    try:
                        sock = socket.socket(family, kind, protocol)
                    except OSError as error:  # this machine has no IPv6, or no IPv4
                        problem = error
                        continue
                    trying[sock.fileno()] = sock
                    sock.setblocking(False)
                    if (code := sock.connect_ex(address)) not in (0, errno.EINPROGRESS):
                        problem = OSError(code, os.strerror(code))
                        trying.pop(sock.fileno()).close()
                        continue
                    selector.register(sock, selectors.EVENT_WRITE)
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError("timed out")
                for key, _ in selector.select(min(left, _STAGGER_S) if waiting else left):
                    selector.unregister(key.fd)
                    sock = trying.pop(key.fd)
                    if not (code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                        return sock
                    problem = OSError(code, os.strerror(code))
                    sock.close()
            raise problem
        finally:
            for sock in trying.values():
                sock.close()


class _Connection(HTTPSConnection):
    _ca = ""

    def connect(self) -> None:
        """As urllib3's.  Raises Unreachable."""
        if self.ssl_context is None:
            # Loaded here, not by urllib3, so that nothing of the host is blamed on this file.
            self._ca, self.ca_certs = str(self.ca_certs), None
            self.ssl_context = _trusting(self._ca)
        try:
            super().connect()
        except (SSLError, OSError) as error:
            raise _refusal(self.host, self.port, self._ca, error) from None

    def _new_conn(self) -> socket.socket:
        try:
            sock = connect(self.host, self.port, float(self.timeout or 0))
        except UnicodeError:
            text = f"there is no host {self.host}: a part of its name is empty or too long"
            raise Unreachable(text, host=self.host) from None
        sock.settimeout(self.timeout)
        for option in self.socket_options or ():
            sock.setsockopt(*option)
        return sock


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


def _trusting(ca: str) -> ssl.SSLContext:
    """What trusts the authorities of this file.  Raises Unreachable."""
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError:
        raise Unreachable(f"{ca}: this is no file of PEM certificates") from None
    except OSError as error:
        raise Unreachable(f"{ca}: {_reason(error)}") from None
    return context


def _refusal(host: str, port: int, ca: str, error: Exception) -> Unreachable:
    """What to say of a connection that was not made."""
    while isinstance(error, SSLError) and error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    if isinstance(error, socket.gaierror):
        if error.errno == socket.EAI_AGAIN:
            text = f"the name server does not answer, so the address of {host} is unknown"
        else:
            text = f"there is no host {host}: the name server does not know that name"
    elif isinstance(error, ssl.SSLCertVerificationError):
        text = _certificate_problem(host, ca, error)
    elif isinstance(error, ssl.SSLError):
        text = f"no encrypted connection with {host} on port {port}: {_ssl_reason(error)}"
    else:
        reason = "timed out" if isinstance(error, TimeoutError) else _reason(error)
        text = f"{host} does not answer on port {port}: {reason}"
    return Unreachable(text, host=host)


def _certificate_problem(host: str, ca: str, error: ssl.SSLCertVerificationError) -> str:
    reason = error.verify_message
    # OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH.
    if error.verify_code in (9, 10):
        return f"the certificate of {host} is not valid now: {reason}; is the clock of this machine right (timedatectl)?"
    if error.verify_code in (62, 64):
        return f"{host} shows the certificate of another host: {reason}"
    return f"{host} shows a certificate that {ca} has not signed: {reason}"


def _ssl_reason(error: ssl.SSLError) -> str:
    if error.reason == "WRONG_VERSION_NUMBER":
        return "what answers there does not speak TLS"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "the host ended it"
    return (error.reason or str(error)).replace("_", " ").lower()


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
