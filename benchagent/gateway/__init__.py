"""Carries the messages of boards without a network to their clouds and back."""
