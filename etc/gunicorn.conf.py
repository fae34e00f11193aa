"""gunicorn -c /etc/csc/gunicorn.conf.py: ceod in production.  What it needs of ceod's configuration it reads there.

HUP is for another configuration and for renewed certificates; a new version of ceod needs a restart, since the workers have what was imported
once, before the first of them.
"""

import gc
import os
import ssl

from ceo_common.config import DAEMON_FILE, load_daemon

_config = load_daemon(os.environ.get("CEOD_CONFIG", DAEMON_FILE))

wsgi_app = "ceod.gunicorn_worker:application()"
worker_class = "ceod.gunicorn_worker.DrainingWorker"
logger_class = "ceod.gunicorn_worker.JsonLogger"
bind = f"0.0.0.0:{_config.port}"
if _config.tls:
    certfile, keyfile = _config.tls.certificate, _config.tls.key

workers = 2  # their threads and time limits: ceod/server/limits.py
timeout = 60
graceful_timeout = 600  # above the sum of any operation's deadlines: checked below

# A Negotiate token with a delegated ticket is 2 KiB here and tens of KiB where tickets carry much.
limit_request_field_size = 32768
limit_request_line = 4094
# Nobody stands before ceod, so no header says whence a request comes.
forwarded_allow_ips = ""
forwarder_headers = ""
preload_app = False  # threads and the journal belong to the worker
max_requests = 0  # a worker with streams is never replaced for its age
control_socket_disable = True
accesslog = None  # ceod logs each request itself


# TLS 1.2 with forward secrecy and authenticated encryption, no CBC; TLS 1.3 has nothing else (RFC 9325, 4.2).
ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20"


def ssl_context(config, default_ssl_context_factory):
    """TLS 1.2 and 1.3."""
    context = default_ssl_context_factory()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def on_starting(server):
    """Refuse a grace that could end a transaction in the middle."""
    # What is imported stays: the collector need not look through it again and again meanwhile, and then never.
    gc.disable()
    import ceod.api  # noqa: F401 - imported once and not in each worker; no thread is started by it

    gc.enable()
    gc.freeze()
    from ceod.operations.registry import OPERATIONS

    needed = max(operation.deadline_s for operation in OPERATIONS.values())
    if graceful_timeout <= needed:
        raise SystemExit(f"graceful_timeout is {graceful_timeout} s, but an operation may take {needed:.0f} s")


def post_worker_init(worker):
    """Start what the worker's app needs."""
    from ceod.gunicorn_worker import started

    started(worker)


def worker_exit(server, worker):
    """Stop it."""
    from ceod.gunicorn_worker import ended

    ended(server, worker)
