"""The engine that runs an operation's steps so that nothing is ever half-made.  It knows no LDAP, no Flask, no member."""
