"""Flashers: what puts bytes into a board and proves that they are there."""
