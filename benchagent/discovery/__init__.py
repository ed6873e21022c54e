"""Finds boards: the virtual bench by its registry folder, physical ones by what is on USB."""

from benchagent.discovery.service import Discovery, UsbTree
from benchagent.discovery.virtual import is_running, scan_virtual

__all__ = ["Discovery", "UsbTree", "is_running", "scan_virtual"]
