"""Firmware authors turn designs into source projects."""
