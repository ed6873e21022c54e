"""Version 1 of the wire contract; generated from the protos beside it."""
