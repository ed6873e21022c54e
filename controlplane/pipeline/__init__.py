"""Runs sessions: stages in order, each once, resumable after any interruption."""
