"""Durable state: one SQLite database, one writer thread, and the stores on top of it."""
