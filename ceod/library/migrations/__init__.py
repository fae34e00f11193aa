"""How the library's database came to look as it does: one step a file, for Alembic."""
