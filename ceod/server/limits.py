"""How long each part of an exchange may take, and how much of each thing there may be."""

from __future__ import annotations

# Seconds.
FIRST_BYTE_S = 5.0  # a new connection says nothing
HANDSHAKE_S = 5.0  # TLS
HEAD_S = 10.0  # from a request's first byte to the end of its headers
BODY_S = 30.0  # all of a body
IDLE_S = 5.0  # a kept connection without a next request
SEND_S = 30.0  # for each CHUNK_BYTES of an answer that the client has to take
QUIET_CLIENT_S = 0.25  # after a refusal: it has nothing more to say
CLOSE_S = 2.0  # for all of what follows a refusal
DRAIN_S = 30.0  # for the answers that are on their way when ceod is told to end; streams have the grace
GATHER_S = 0.03  # a stream is looked at no more often; what came meanwhile is sent together
HEARTBEAT_S = 5.0  # a stream without events says that it is alive
QUIET_S = 300.0  # a stream without events ends, where another process or nobody works on its transaction
ACK_S = 30.0  # a peer that acknowledges nothing is gone (TCP_USER_TIMEOUT, tcp(7))

# Bytes.
HEAD_BYTES = 96 * 1024  # room for a Negotiate token and a forwarded ticket of 32 KiB each
CHUNKS = 16384  # of a body
TRAILERS = 100
CHUNK_LINE_BYTES = 4096  # the line before a chunk
CHUNK_BYTES = 64 * 1024  # an answer is made and sent in pieces of this size
LINGER_BYTES = 4 << 20  # read away after a refusal, so that the client gets to read it

# asyncio takes 256 KiB for each TLS connection at once unless told otherwise (SSLProtocol.max_size).
TLS_BUFFER_BYTES = 32 * 1024

# Connections of a worker that answer no authenticated request.
CONNECTIONS = 1000
# What ceod opens itself: the journal, LDAP, helpers, authenticated requests.
OWN_DESCRIPTORS = 1000

# Authenticated requests of one person that a worker answers at once, streams among them.
SHARE = 16

# Threads of a worker.
TICKET_THREADS = 2  # accept the tickets of reads, and as many those of writes
SLOW_TICKET_THREADS = 2  # accept those of addresses whose tickets have ended an acceptor
READ_THREADS = 16
WRITE_THREADS = 4  # begin transactions, which then run in threads of their own
# How many of them one person has at once; the rest of a share waits without a thread.
READS_EACH = 4
WRITES_EACH = 2
EVENT_THREADS = 2  # read the journal for streams
