"""Nouns of the control plane: pure data, legal values, exact codecs. No I/O."""
