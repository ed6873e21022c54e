// Clocks at start, and why the part was reset. Not tried on hardware: no step waits for ever, and
// what does not answer leaves the part on the clock before it.
#include BENCH_VARIANT_HEADER

#include "bench/port.h"
#include "part.h"
#include "port_state.h"
#include "registers.h"

namespace stm32f4 {
namespace {

// RCC_CR
constexpr uint32_t kHseOn = bit(16);
constexpr uint32_t kHseReady = bit(17);
constexpr uint32_t kHseBypassed = bit(18);
constexpr uint32_t kPllOn = bit(24);
constexpr uint32_t kPllReady = bit(25);
// RCC_CFGR: SW bits 0 to 1, SWS bits 2 to 3; 0 is HSI, 2 is the PLL. RTCPRE from bit 16.
constexpr uint32_t kSwitchPll = 2;
constexpr uint32_t kSwitchedToPll = 2U << 2;
constexpr uint32_t kSwitchStateMask = 3U << 2;
constexpr uint32_t kRtcPrescalerAt = 16;
// PWR_CSR bit 14: the voltage scale is reached.
constexpr uint32_t kVoltageReady = bit(14);
// FLASH_ACR: instruction cache, data cache and prefetch (3.9.1).
constexpr uint32_t kFlashCaches = bit(8) | bit(9) | bit(10);
// RCC_APB1ENR: PWR. RCC_APB2ENR: TIM11.
constexpr uint32_t kPwrClock = bit(28);
constexpr uint32_t kTim11Clock = bit(18);

// TIM11, section 19.5: TIM11_OR routes HSE / RTCPRE to channel 1 (value 2); CCMR1 takes the input
// as it is, each 8th edge.
constexpr uint32_t kRemapHse = 2;
constexpr uint32_t kCaptureEachEighth = 1 | (3U << 2);
constexpr uint32_t kCaptured = bit(1);
constexpr uint32_t kCaptureLost = bit(9);

// More than any start-up time of the data sheet (crystal some ms, PLL lock 300 us: DS8626 tables 32
// and 36) at 16 MHz, where a turn takes about ten cycles.
constexpr uint32_t kPatience = 100000;
// A capture comes each 61 us at the latest (4 MHz / 31 / 8).
constexpr uint32_t kCapturePatience = 1000;

constexpr ClockPlan kSimulated = planFor(kF405, kHsiHz, false);

ClockPlan inForce = kFallback;
bool inSimulator;

bool becomes(uint32_t address, uint32_t mask, uint32_t value, uint32_t patience = kPatience) {
  for (uint32_t i = 0; i < patience; i++) {
    if ((reg(address) & mask) == value) return true;
  }
  return false;
}

// The counter at the next capture; false when none comes or one was lost.
bool nextCapture(uint32_t &count) {
  if (!becomes(kTim11Sr, kCaptured, kCaptured, kCapturePatience)) return false;
  count = reg(kTim11Ccr1);  // clears the flag
  return (reg(kTim11Sr) & kCaptureLost) == 0;
}

// HSI counts while kCaptures captures of HSE pass, 0 when it could not be told. The system clock
// is HSI and APB2 is not divided, so the timer counts HSI.
uint32_t countsOfHse() {
  reg(kRccApb2enr) |= kTim11Clock;
  __asm volatile("dsb" ::: "memory");
  reg(kRccCfgr) = (reg(kRccCfgr) & ~(0x1FU << kRtcPrescalerAt)) | (kRtcDivisor << kRtcPrescalerAt);
  reg(kTim11Or) = kRemapHse;
  reg(kTim11Psc) = 0;
  reg(kTim11Arr) = 0xFFFF;
  reg(kTim11Ccmr1) = kCaptureEachEighth;
  reg(kTim11Ccer) = 1;
  reg(kTim11Sr) = 0;
  reg(kTim11Cr1) = 1;
  uint32_t counts = 0;
  uint32_t first = 0;
  uint32_t last = 0;
  // The first capture may follow the start by less than a period.
  bool good = nextCapture(first) && nextCapture(first);
  for (uint32_t i = 0; good && i < kCaptures; i++) good = nextCapture(last);
  if (good) counts = (last - first) & 0xFFFF;
  reg(kTim11Cr1) = 0;
  reg(kTim11Ccer) = 0;
  reg(kTim11Or) = 0;
  reg(kRccCfgr) &= ~(0x1FU << kRtcPrescalerAt);
  reg(kRccApb2enr) &= ~kTim11Clock;
  return counts;
}

void stopHse() { reg(kRccCr) &= ~(kHseOn | kHseBypassed); }

// Starts the board's crystal or clock input and measures it; 0 when there is none to rely on.
uint32_t startHse() {
  stopHse();
  if (bench_variant::kHseIsClock) reg(kRccCr) |= kHseBypassed;  // only while HSE is off
  reg(kRccCr) |= kHseOn;
  if (becomes(kRccCr, kHseReady, kHseReady)) {
    for (int tries = 0; tries < 3; tries++) {
      const uint32_t hz = crystalHz(measuredHz(countsOfHse()), bench_variant::kHseHz);
      if (hz != 0) return hz;
    }
  }
  stopHse();
  return 0;
}

bool startPll(const ClockPlan &plan) {
  if (!plan.usesPll()) return false;
  reg(kPwrCr) = (reg(kPwrCr) & ~kLimits.voltageMask) | kLimits.voltageScale;
  reg(kRccPllcfgr) = plan.pllcfgr();
  reg(kRccCr) |= kPllOn;
  // The regulator reaches its scale only while the PLL is on.
  if (!becomes(kRccCr, kPllReady, kPllReady)) return false;
  if (!becomes(kPwrCsr, kVoltageReady, kVoltageReady)) return false;
  // Wait states before speed; the manual asks for a read-back (3.5.1).
  reg(kFlashAcr) = kFlashCaches | plan.flashWaitStates();
  if (!becomes(kFlashAcr, 0xF, plan.flashWaitStates())) return false;
  reg(kRccCfgr) = plan.cfgrPrescalers();
  reg(kRccCfgr) = plan.cfgrPrescalers() | kSwitchPll;
  return becomes(kRccCfgr, kSwitchStateMask, kSwitchedToPll);
}

void backToHsi() {
  reg(kRccCfgr) = 0;
  static_cast<void>(becomes(kRccCfgr, kSwitchStateMask, 0));
  reg(kRccCr) &= ~kPllOn;
  // The PLL's source may be written only while it is off.
  static_cast<void>(becomes(kRccCr, kPllReady, 0));
}

ClockPlan fastest() {
  backToHsi();
  reg(kRccApb1enr) |= kPwrClock;
  const uint32_t hse = startHse();
  if (hse != 0) {
    const ClockPlan plan = planFor(kLimits, hse, true);
    if (startPll(plan)) return plan;
    backToHsi();
    stopHse();
  }
  const ClockPlan plan = planFor(kLimits, kHsiHz, false);
  if (startPll(plan)) return plan;
  backToHsi();
  return kFallback;
}

}  // namespace

const ClockPlan &startClocks() {
  inSimulator = reg(kRccCr) == 0;
  inForce = inSimulator ? kSimulated : fastest();
  return inForce;
}

bool simulated() { return inSimulator; }
const ClockPlan &clocks() { return inForce; }

}  // namespace stm32f4

namespace {

char *putNumber(char *to, uint32_t value) {
  if (value >= 10) to = putNumber(to, value / 10);
  *to++ = static_cast<char>('0' + value % 10);
  return to;
}

}  // namespace

namespace port {

const char *clockName() {
  using namespace stm32f4;
  static char text[16];
  const ClockPlan &plan = clocks();
  char *to = text;
  for (const char *source = simulated() ? "sim" : plan.fromHse ? "hse" : "hsi"; *source != '\0';) {
    *to++ = *source++;
  }
  if (!simulated()) to = putNumber(to, plan.inputHz / kMHz);
  *to++ = '-';
  *putNumber(to, plan.hclkHz() / kMHz) = '\0';
  return text;
}

const char *resetCause() {
  using namespace stm32f4;
  static const char *cause;
  if (cause != nullptr) return cause;
  // RCC_CSR bits 31 to 25, section 7.3.21. A cause other than power also sets the pin's flag, so
  // the pin comes last.
  const uint32_t csr = reg(kRccCsr);
  reg(kRccCsr) = csr | bit(24);  // clears the flags for the next start
  if (csr & bit(31)) {
    cause = "lowpower";
  } else if (csr & bit(30)) {
    cause = "wwdg";
  } else if (csr & bit(29)) {
    cause = "iwdg";
  } else if (csr & bit(28)) {
    cause = "soft";
  } else if (csr & (bit(27) | bit(25))) {
    cause = "power";
  } else {
    cause = csr & bit(26) ? "pin" : "unknown";
  }
  return cause;
}

}  // namespace port
