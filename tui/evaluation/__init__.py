"""Measures designers with labelled sentences. Knows no wire, no clock and no designer."""
