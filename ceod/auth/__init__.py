"""Who is asking: SPNEGO, the forwarded ticket, the caller's standing."""
