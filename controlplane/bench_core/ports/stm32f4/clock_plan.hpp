// The clock tree as arithmetic: which divisors, which wait states, which baud divisor. Nothing here
// touches a register, so the same header is compiled natively and checked.
//
// Sources: RM0090 rev 19. Section 7.3.2 (PLLCFGR), 7.3.3 (CFGR), 3.5.1 table 10 (flash wait states
// at 2.7 V to 3.6 V), 5.4.1 (voltage scale), 30.3.4 (baud rate).
#pragma once

#include <stdint.h>

namespace stm32f4 {

struct ClockPlan {
  uint32_t inputHz;   // HSI or HSE, into the PLL
  uint32_t pllM;      // 0: no PLL, the input is the system clock
  uint32_t pllN;
  uint32_t pllP;
  uint32_t pllQ;
  uint32_t ahbDivisor;
  uint32_t apb1Divisor;
  uint32_t apb2Divisor;

  constexpr uint32_t vcoInputHz() const { return inputHz / pllM; }
  constexpr uint32_t vcoHz() const { return vcoInputHz() * pllN; }
  constexpr uint32_t sysclkHz() const { return pllM == 0 ? inputHz : vcoHz() / pllP; }
  constexpr uint32_t pll48Hz() const { return pllM == 0 ? 0 : vcoHz() / pllQ; }
  constexpr uint32_t hclkHz() const { return sysclkHz() / ahbDivisor; }
  constexpr uint32_t apb1Hz() const { return hclkHz() / apb1Divisor; }
  constexpr uint32_t apb2Hz() const { return hclkHz() / apb2Divisor; }

  // One wait state for each 30 MHz begun, above 2.7 V (table 10).
  constexpr uint32_t flashWaitStates() const { return (hclkHz() - 1) / 30000000; }

  // RCC_PLLCFGR with HSI as the source (bit 22 clear); bits 24 to 27 are Q, 16 to 17 are P/2 - 1.
  constexpr uint32_t pllcfgr() const {
    return pllM | (pllN << 6) | ((pllP / 2 - 1) << 16) | (pllQ << 24);
  }
  // RCC_CFGR without the switch: HPRE bits 4 to 7, PPRE1 bits 10 to 12, PPRE2 bits 13 to 15.
  constexpr uint32_t cfgrPrescalers() const {
    return (ahbCode(ahbDivisor) << 4) | (apbCode(apb1Divisor) << 10) |
           (apbCode(apb2Divisor) << 13);
  }

  // 0xxx: not divided, 1000: by 2, ... 1011: by 16; 32 is left out by the hardware.
  static constexpr uint32_t ahbCode(uint32_t divisor) {
    return divisor == 1 ? 0 : 7 + log2(divisor) - (divisor > 16 ? 1 : 0);
  }
  // 0xx: not divided, 100: by 2, ... 111: by 16.
  static constexpr uint32_t apbCode(uint32_t divisor) {
    return divisor == 1 ? 0 : 3 + log2(divisor);
  }
  static constexpr uint32_t log2(uint32_t value) {
    return value <= 1 ? 0 : 1 + log2(value / 2);
  }
};

// HSI is 16 MHz on every F4 (section 7.2.2), 1 % accurate at 25 C: enough for a UART.
constexpr uint32_t kHsiHz = 16000000;

// 16 MHz / 8 = 2 MHz, x 168 = 336 MHz, / 2 = 168 MHz, / 7 = 48 MHz.
constexpr ClockPlan kFullSpeed = {kHsiHz, 8, 168, 2, 7, 1, 4, 2};
// Out of reset, and where the PLL does not lock.
constexpr ClockPlan kFallback = {kHsiHz, 0, 0, 0, 0, 1, 1, 1};

// Every limit of the reference manual that the full-speed plan must keep.
static_assert(kFullSpeed.pllM >= 2 && kFullSpeed.pllM <= 63, "7.3.2: 2 <= PLLM <= 63");
static_assert(kFullSpeed.inputHz % kFullSpeed.pllM == 0, "the plan is exact");
static_assert(kFullSpeed.vcoInputHz() >= 1000000 && kFullSpeed.vcoInputHz() <= 2000000,
              "7.3.2: VCO input 1 to 2 MHz, 2 MHz recommended against jitter");
static_assert(kFullSpeed.pllN >= 50 && kFullSpeed.pllN <= 432, "7.3.2: 50 <= PLLN <= 432");
static_assert(kFullSpeed.vcoHz() >= 100000000 && kFullSpeed.vcoHz() <= 432000000,
              "7.3.2: VCO output 100 to 432 MHz");
static_assert(kFullSpeed.pllP == 2 || kFullSpeed.pllP == 4 || kFullSpeed.pllP == 6 ||
                  kFullSpeed.pllP == 8,
              "7.3.2: PLLP is 2, 4, 6 or 8");
static_assert(kFullSpeed.pllQ >= 2 && kFullSpeed.pllQ <= 15, "7.3.2: 2 <= PLLQ <= 15");
static_assert(kFullSpeed.pll48Hz() <= 48000000, "7.3.2: USB, SDIO, RNG clock at most 48 MHz");
static_assert(kFullSpeed.sysclkHz() <= 168000000, "7.3.2: system clock at most 168 MHz");
static_assert(kFullSpeed.hclkHz() <= 168000000, "7.2: AHB at most 168 MHz");
static_assert(kFullSpeed.apb1Hz() <= 42000000, "7.3.3: APB1 at most 42 MHz");
static_assert(kFullSpeed.apb2Hz() <= 84000000, "7.3.3: APB2 at most 84 MHz");
static_assert(kFullSpeed.flashWaitStates() == 5, "3.5.1: 5 wait states at 150 to 168 MHz");
static_assert(kFullSpeed.hclkHz() % 1000000 == 0, "whole cycles in a microsecond");
static_assert(kFallback.hclkHz() % 1000000 == 0, "whole cycles in a microsecond");

// USART_BRR with 16 samples a bit: USARTDIV = f / (16 x baud) as mantissa (bits 4 up) and sixteenths
// (bits 0 to 3), which together are f / baud, rounded (section 30.3.4). At least 16, because
// USARTDIV is at least 1; at most what 16 bits hold.
constexpr uint32_t usartBrr(uint32_t clockHz, uint32_t baud) {
  const uint32_t divisor = baud == 0 ? 0xFFFF : (clockHz + baud / 2) / baud;
  return divisor < 16 ? 16 : (divisor > 0xFFFF ? 0xFFFF : divisor);
}

// What a divisor really gives, in baud.
constexpr uint32_t usartBaud(uint32_t clockHz, uint32_t brr) { return (clockHz + brr / 2) / brr; }

// ADC prescaler code for at most 36 MHz (data sheet DS8626 rev 9, table 67): 0 is by 2, 1 by 4.
constexpr uint32_t adcPrescaler(uint32_t apb2Hz) { return apb2Hz / 2 <= 36000000 ? 0 : 1; }

}  // namespace stm32f4
