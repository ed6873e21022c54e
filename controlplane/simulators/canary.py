"""Tiny images that any working machine prints from: they tell a broken simulator from firmware."""

import struct

CANARY_TEXT = b"\x1eBL 0 BOOT canary=1\n"

_STACK, _START, _REST = 0x2000_1000, 0x41, 0x51
_THUMB = bytes.fromhex("06a1054a11f8010b18b11060fae700bf00bf30bffde700bf")
_STM32_UARTS = (0x4001_1000, 0x4000_4400, 0x4000_4800, 0x4000_4C00, 0x4000_5000, 0x4001_1400)
_STM32_DATA = 0x04

_DIRECT_BOOT = struct.pack("<II", 0xAEDB_041D, 0xAEDB_041D)
_RISCV = bytes.fromhex(
    "17050000 13058502 37030060 83420500 63880200 23205300 13051500 6ff01fff73005010 6ff0dfff"
)


def stm32_canary(console_serial: int = 1) -> bytes:
    """A raw image for the start of an STM32F4's flash; `console_serial` counts USARTs from 0.

    Thumb code: the vector table, a loop that stores each byte of the text to the data register
    (offset 04; base addresses from RM0090 table 1: USART1 to 3, UART4, UART5, USART6), then sleep.

        start:  adr r1, text
                ldr r2, =UART_DR
        next:   ldrb r0, [r1], #1
                cbz r0, rest
                str r0, [r2]
                b next
        rest:   wfi
                b rest
    """
    vectors = struct.pack("<16I", _STACK, _START, *(14 * [_REST]))
    register = struct.pack("<I", _STM32_UARTS[console_serial] + _STM32_DATA)
    return vectors + _THUMB + register + CANARY_TEXT + b"\0"


def esp32c3_canary() -> bytes:
    """A direct-boot image for the start of an ESP32-C3's flash, RV32I code.

    start:  auipc a0, 0
            addi a0, a0, text - start   # 40
            lui t1, 0x60000         # UART0_FIFO
    next:   lbu t0, 0(a0)
            beqz t0, rest
            sw t0, 0(t1)
            addi a0, a0, 1
            j next
    rest:   wfi
            j rest
    """
    return _DIRECT_BOOT + _RISCV + CANARY_TEXT + b"\0"
