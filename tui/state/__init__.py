"""What the operator sees, derived from events by pure functions: no I/O, no clock, no widgets."""
