"""Running firmware without a board: deterministic, bounded, and corroborated."""
