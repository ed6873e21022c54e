"""Facts of sessions, numbered without gaps."""
