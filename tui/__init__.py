"""The operator console and its headless twin."""
