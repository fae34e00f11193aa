"""Bindings to MIT Kerberos: tickets.py and admin.py are what the rest of ceo calls, krb5.py and kadm5.py the C beneath."""
