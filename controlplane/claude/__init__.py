"""Calls of the Claude service: typed, bounded in cost and time, recorded. No SDK type leaves it."""
