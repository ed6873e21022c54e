// The console's rate as arithmetic. Nothing here touches a register, so the same header is compiled
// natively and checked.
//
// UART_CLK_CONF divides the crystal by a whole number, UART_CLKDIV by sixteenths (bits 0 to 11
// whole, bits 20 to 23 sixteenths): ESP-IDF, uart_reg.h of the esp32c3.
#pragma once

#include <stdint.h>

namespace esp32c3 {

struct UartDivisors {
  uint32_t sclkDivisor;  // 1 to 256
  uint32_t sixteenths;   // whole and fraction together

  constexpr uint32_t clkdiv() const { return (sixteenths >> 4) | ((sixteenths & 0xF) << 20); }
  // Bits 12 to 19: the divisor less one; bits 20 and 21: 3 is the crystal; bits 22, 24, 25: clocks
  // of the core, sender and receiver.
  constexpr uint32_t clkConf() const {
    return ((sclkDivisor - 1) << 12) | (3U << 20) | (1U << 22) | (1U << 24) | (1U << 25);
  }
};

constexpr uint32_t kLargestClkdiv = 0xFFF;

constexpr UartDivisors uartDivisors(uint32_t clockHz, uint32_t baud) {
  if (baud == 0) baud = 1;
  uint32_t sclk = clockHz / kLargestClkdiv / baud + 1;
  if (sclk > 256) sclk = 256;
  const uint32_t each = clockHz / sclk;
  const uint64_t sixteenths = (static_cast<uint64_t>(each) * 16 + baud / 2) / baud;
  const uint32_t largest = (kLargestClkdiv << 4) | 0xF;
  if (sixteenths < 16) return {sclk, 16};
  return {sclk, sixteenths > largest ? largest : static_cast<uint32_t>(sixteenths)};
}

}  // namespace esp32c3
