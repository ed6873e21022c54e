"""A tiny image that any working machine prints from: it tells a broken simulator from firmware.

Thumb code, hand-assembled for a Cortex-M with USART2 at 0x40004400 (RM0090 table 1): the vector
table, a loop that stores each byte of the text to USART_DR (offset 04), then sleep for ever.

    start:  adr r1, text
            ldr r2, =0x40004404
    next:   ldrb r0, [r1], #1
            cbz r0, rest
            str r0, [r2]
            b next
    rest:   wfi
            b rest
"""

import struct

CANARY_TEXT = b"\x1eBL 0 BOOT canary=1\n"
_STACK, _START, _REST = 0x2000_1000, 0x41, 0x51
_CODE = bytes.fromhex("06a1054a11f8010b18b11060fae700bf00bf30bffde700bf04440040")


def canary_image() -> bytes:
    """The raw image, to be loaded at the start of flash."""
    vectors = struct.pack("<16I", _STACK, _START, *(14 * [_REST]))
    return vectors + _CODE + CANARY_TEXT + b"\0"
