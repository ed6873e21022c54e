"""The verbs: what the console does, for scripts and people without a screen. No Textual here."""
