// The clock tree as arithmetic: what a crystal is, which divisors, which wait states, which baud
// divisor. Nothing here touches a register, so the same header is compiled natively and checked.
//
// Sources: RM0090 (STM32F405/407), read in revision 21: sections 7.2.11 (measuring HSE by TIM11),
// 7.3.1 to 7.3.3 (RCC_CR, PLLCFGR, CFGR); in revision 19: 3.5.1 table 10 (flash wait states at 2.7 V
// to 3.6 V), 5.4.1 (voltage scale), 30.3.4 (baud rate). RM0368 (F401), RM0383 (F411) and RM0390
// (F446), sections 3 (flash), 5 (power) and 6 (clocks): from the manuals, not checked against them.
// Not tried on hardware.
#pragma once

#include <stdint.h>

namespace stm32f4 {

// What a line of parts bears.
struct PartLimits {
  uint32_t hclkHz;
  uint32_t apb1Hz;
  uint32_t apb2Hz;
  uint32_t pllNMin;
  // PWR_CR: the field VOS and the value that allows hclkHz.
  uint32_t voltageMask;
  uint32_t voltageScale;
};

// RM0090 7.2, 7.3.3, 5.4.1: scale 1 is bit 14 set.
constexpr PartLimits kF405 = {168000000, 42000000, 84000000, 50, 1U << 14, 1U << 14};
// RM0368 6.2, 6.3.2, 5.4.1: 10 is scale 2, the highest of this line, up to 84 MHz.
constexpr PartLimits kF401 = {84000000, 42000000, 84000000, 192, 3U << 14, 2U << 14};
// RM0383 6.2, 6.3.2, 5.4.1: 11 is scale 1, up to 100 MHz.
constexpr PartLimits kF411 = {100000000, 50000000, 100000000, 50, 3U << 14, 3U << 14};
// RM0390 6.2, 6.3.2, 5.4.1: 11 is scale 1, up to 168 MHz. 180 MHz would need the over-drive mode,
// and its 48 MHz clock would be 45.
constexpr PartLimits kF446 = {168000000, 45000000, 90000000, 50, 3U << 14, 3U << 14};

struct ClockPlan {
  uint32_t inputHz;  // HSI or HSE, into the PLL
  bool fromHse;
  uint32_t pllM;  // 0: no PLL, the input is the system clock
  uint32_t pllN;
  uint32_t pllP;
  uint32_t pllQ;
  uint32_t ahbDivisor;
  uint32_t apb1Divisor;
  uint32_t apb2Divisor;

  constexpr bool usesPll() const { return pllM != 0; }
  constexpr uint32_t vcoInputHz() const { return inputHz / pllM; }
  constexpr uint32_t vcoHz() const { return vcoInputHz() * pllN; }
  constexpr uint32_t sysclkHz() const { return usesPll() ? vcoHz() / pllP : inputHz; }
  constexpr uint32_t pll48Hz() const { return usesPll() ? vcoHz() / pllQ : 0; }
  constexpr uint32_t hclkHz() const { return sysclkHz() / ahbDivisor; }
  constexpr uint32_t apb1Hz() const { return hclkHz() / apb1Divisor; }
  constexpr uint32_t apb2Hz() const { return hclkHz() / apb2Divisor; }
  // Its timers run twice as fast where the bus is divided (7.2).
  constexpr uint32_t apb1TimerHz() const { return apb1Divisor == 1 ? apb1Hz() : 2 * apb1Hz(); }

  // One wait state for each 30 MHz begun, above 2.7 V (table 10). The F411 bears 64, 90 and 100 MHz
  // with 1, 2 and 3: never more than this gives.
  constexpr uint32_t flashWaitStates() const { return (hclkHz() - 1) / 30000000; }

  // RCC_PLLCFGR: M, N, P/2 - 1, the source at bit 22, Q. Bits 28 to 31 keep their reset value 2; on
  // the F446 they are R, of which 2 is the least.
  constexpr uint32_t pllcfgr() const {
    return pllM | (pllN << 6) | ((pllP / 2 - 1) << 16) | ((fromHse ? 1U : 0U) << 22) | (pllQ << 24) |
           (2U << 28);
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
// What an oscillator circuit of these parts takes (DS8626 table 32: HSE 4 to 26 MHz).
constexpr uint32_t kHseMinHz = 4000000;
constexpr uint32_t kHseMaxHz = 26000000;

// Out of reset, and where no PLL locks.
constexpr ClockPlan kFallback = {kHsiHz, false, 0, 0, 0, 0, 1, 1, 1};

constexpr uint32_t kMHz = 1000000;

constexpr uint32_t divisorFor(uint32_t hz, uint32_t limitHz) {
  uint32_t divisor = 1;
  while (hz / divisor > limitHz) divisor *= 2;
  return divisor;
}

// The fastest plan of a part from this input; kFallback's, without a PLL, where there is none.
// 2 MHz into the VCO are recommended against jitter, 1 MHz is allowed (7.3.2).
constexpr ClockPlan planFor(const PartLimits &limits, uint32_t inputHz, bool fromHse) {
  for (uint32_t vcoInHz = 2 * kMHz; vcoInHz >= kMHz; vcoInHz -= kMHz) {
    const uint32_t m = inputHz / vcoInHz;
    if (inputHz % vcoInHz != 0 || m < 2 || m > 63) continue;
    for (uint32_t p = 2; p <= 8; p += 2) {
      const uint32_t vcoHz = limits.hclkHz * p;
      const uint32_t n = vcoHz / vcoInHz;
      // 192 to 432 MHz is what every line's VCO does; newer manuals begin at 100.
      if (vcoHz < 192 * kMHz || vcoHz > 432 * kMHz || vcoHz % vcoInHz != 0) continue;
      if (n < limits.pllNMin || n > 432) continue;
      const uint32_t q = (vcoHz + 48 * kMHz - 1) / (48 * kMHz);
      return {inputHz, fromHse, m, n, p, q, 1, divisorFor(limits.hclkHz, limits.apb1Hz),
              divisorFor(limits.hclkHz, limits.apb2Hz)};
    }
  }
  return {inputHz, fromHse, 0, 0, 0, 0, 1, 1, 1};
}

// ---- measuring HSE against HSI ----

// TIM11 counts HSI and captures HSE divided by RTCPRE (7.2.11). Its counter has 16 bits: 32 edges
// of 4 MHz / 31 take 3968 counts, so the result is good to 0.1 % of what HSI is.
constexpr uint32_t kRtcDivisor = 31;
constexpr uint32_t kCapturePrescaler = 8;
constexpr uint32_t kCaptures = 4;

constexpr uint32_t measuredHz(uint32_t counts) {
  if (counts == 0) return 0;
  const uint64_t edges = static_cast<uint64_t>(kCaptures) * kCapturePrescaler * kRtcDivisor;
  return static_cast<uint32_t>(edges * kHsiHz / counts);
}

constexpr uint32_t distance(uint32_t a, uint32_t b) { return a < b ? b - a : a - b; }

// The frequency that a measured clock has: the board's own crystal within 5 % (HSI is good to 4 %
// from -10 to 85 C, DS8626 table 34), else a usual one within 2 %, else 0: not to be trusted.
constexpr uint32_t crystalHz(uint32_t measured, uint32_t expectedHz) {
  if (measured < kHseMinHz - kHseMinHz / 20 || measured > kHseMaxHz + kHseMaxHz / 20) return 0;
  if (expectedHz != 0 && distance(measured, expectedHz) <= expectedHz / 20) return expectedHz;
  constexpr uint32_t kUsualMHz[] = {4, 5, 6, 8, 10, 12, 16, 20, 24, 25, 26};
  uint32_t best = 0;
  for (const uint32_t each : kUsualMHz) {
    if (distance(measured, each * kMHz) < distance(measured, best)) best = each * kMHz;
  }
  return distance(measured, best) <= best / 50 ? best : 0;
}

// ---- what every plan must keep ----

constexpr bool keeps(const ClockPlan &plan, const PartLimits &limits) {
  if (plan.hclkHz() > limits.hclkHz || plan.apb1Hz() > limits.apb1Hz) return false;
  if (plan.apb2Hz() > limits.apb2Hz || plan.hclkHz() % kMHz != 0) return false;
  if (!plan.usesPll()) return true;
  return plan.inputHz % plan.pllM == 0 && plan.vcoInputHz() >= kMHz &&
         plan.vcoInputHz() <= 2 * kMHz && plan.pllN >= limits.pllNMin && plan.pllN <= 432 &&
         plan.vcoHz() >= 192 * kMHz && plan.vcoHz() <= 432 * kMHz && plan.pllQ >= 2 &&
         plan.pllQ <= 15 && plan.pll48Hz() <= 48 * kMHz;
}

constexpr bool everyInputGivesFullSpeed(const PartLimits &limits) {
  for (uint32_t mhz = 4; mhz <= 26; mhz++) {
    const ClockPlan plan = planFor(limits, mhz * kMHz, true);
    if (!keeps(plan, limits) || plan.hclkHz() != limits.hclkHz) return false;
  }
  return true;
}

static_assert(everyInputGivesFullSpeed(kF401), "RM0368 6.3.2");
static_assert(everyInputGivesFullSpeed(kF405), "RM0090 7.3.2");
static_assert(everyInputGivesFullSpeed(kF411), "RM0383 6.3.2");
static_assert(everyInputGivesFullSpeed(kF446), "RM0390 6.3.2");

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
