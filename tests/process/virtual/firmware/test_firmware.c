/* Firmware for the tests of virtual boards: USART2 (or 1) console of an STM32F4 (RM0090).
 * Prints "boot TAG", the first word of the stimulus table sector, then a tick line every 100 ms;
 * answers "ping" with "pong", and "lockup" by a fault inside the fault handler. */
#include <stdint.h>

#ifndef TAG
#define TAG "one"
#endif
#ifndef PADDING
#define PADDING 4
#endif

#define REG(address) (*(volatile uint32_t *)(address))
#if USART == 1
#define UART_BASE 0x40011000u
#else
#define UART_BASE 0x40004400u
#endif
#define USART_SR REG(UART_BASE)
#define USART_DR REG(UART_BASE + 4u)
#define USART_BRR REG(UART_BASE + 8u)
#define USART_CR1 REG(UART_BASE + 12u)

int main(void);
void Reset_Handler(void);
void SysTick_Handler(void);
void HardFault_Handler(void);

__attribute__((section(".code_tail"), used)) const uint8_t padding[PADDING] = {1, 2, 3, 4};

static volatile uint32_t ms;

void SysTick_Handler(void) { ms++; }
void HardFault_Handler(void) { REG(0x30000000u) = 1; }

static void put_char(char c) {
    while (!(USART_SR & (1u << 7))) {
    }
    USART_DR = (uint8_t)c;
}

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

static void answer(char c) {
    static const char ping[] = "ping\n";
    static uint32_t matched;
    if (c == '!') {
        REG(0x30000000u) = 1;
    }
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
    REG(0x40023830u) |= 1u;            /* GPIOA clock */
    REG(0x40023840u) |= 1u << 17;      /* USART2 clock */
    REG(0x40023844u) |= 1u << 4;       /* USART1 clock */
    USART_BRR = 42000000u / 115200u;
    USART_CR1 = (1u << 13) | (1u << 3) | (1u << 2);
    REG(0xE000E014u) = 168000000u / 1000u - 1u;
    REG(0xE000E018u) = 0;
    REG(0xE000E010u) = 7;
    put_text("boot " TAG " table=");
    put_hex(REG(0x08004000u));
    put_text("\n");
    for (uint32_t tick = 0;; tick++) {
        while (ms < tick * 100u) {
            if (USART_SR & (1u << 5)) {
                answer((char)USART_DR);
            }
            __asm volatile("wfi");
        }
        put_text("tick ");
        put_hex(tick);
        put_text("\n");
    }
}

extern uint32_t stack_top;
void Reset_Handler(void) {
    (void)main();
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &stack_top, (void *)Reset_Handler, 0, (void *)HardFault_Handler,
    [15] = (void *)SysTick_Handler,
};
