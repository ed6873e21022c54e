/* Firmware for the tests of virtual boards: UART0 console of an ESP32-C3, started by direct boot.
 * Prints "boot TAG", the first word of the stimulus table, then a tick line every 100 ms with the
 * device's milliseconds in a record; answers "ping" with "pong". */
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(address))
#define UART_FIFO REG(0x60000000u)
#define UART_STATUS REG(0x6000001Cu)
#define SYSTIMER_CONF REG(0x60023000u)
#define SYSTIMER_UPDATE REG(0x60023004u)
#define SYSTIMER_LOW REG(0x60023044u)

#ifndef TAG
#define TAG "one"
#endif

static void put_char(char c) { UART_FIFO = (uint8_t)c; }

static void put_text(const char *text) {
    while (*text) {
        put_char(*text++);
    }
}

static void put_hex(uint32_t value) {
    for (int shift = 28; shift >= 0; shift -= 4) {
        put_char("0123456789abcdef"[(value >> shift) & 15u]);
    }
}

static uint32_t now_ms(void) {
    SYSTIMER_UPDATE = 1u << 30;
    while (!(SYSTIMER_UPDATE & (1u << 29))) {
    }
    return SYSTIMER_LOW / 16000u;
}

static void answer(char c) {
    static const char ping[] = "ping\n";
    static uint32_t matched;
    if (c == '#') {
        for (;;) {
            put_text("flood flood flood flood flood flood\n");
        }
    }
    matched = (c == ping[matched]) ? matched + 1 : 0;
    if (matched == sizeof ping - 1) {
        matched = 0;
        put_text("pong\n");
    }
}

int main(void) {
    SYSTIMER_CONF = (1u << 31) | (1u << 30);
    put_text("boot " TAG " table=");
    put_hex(REG(0x3C1F0000u));
    put_text("\n");
    uint32_t began = now_ms();
    for (uint32_t tick = 0;; tick++) {
        while (now_ms() - began < tick * 100u) {
            if (UART_STATUS & 0x3FFu) {
                answer((char)UART_FIFO);
            }
        }
        put_text("\x1e" "BL 0 PIN GPIO3 v=1\n");
        put_text("tick ");
        put_hex(tick);
        put_text("\n");
    }
}

__asm__(
    ".section .head, \"ax\"\n"
    ".word 0xaedb041d, 0xaedb041d\n"
    "la sp, stack_top\n"
    "la t0, bss_start\n"
    "la t1, bss_end\n"
    "1: bgeu t0, t1, 2f\n"
    "sw zero, 0(t0)\n"
    "addi t0, t0, 4\n"
    "j 1b\n"
    "2: call main\n"
    "j .\n");
