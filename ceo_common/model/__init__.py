"""The things that ceo is about, as typed values with their validation; no I/O."""
