"""Child processes that handle hostile input: confined, limited, and never left behind."""
