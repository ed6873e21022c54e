"""Designers turn prompts into designs, or say why they cannot."""
