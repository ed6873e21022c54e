"""Machines that run flashed firmware without a board: programs, started as children.

Nothing imports this package; `python -m benchline.emulator.esp32c3` is its interface, which
docs/emulator.md describes. Only `processor` touches Unicorn, which is GPL-2.0 and optional.
"""
