// Clocks at start, and why the part was reset.
#include "bench/port.h"
#include "port_state.h"
#include "registers.h"

namespace stm32f4 {
namespace {

// RCC_CR
constexpr uint32_t kPllOn = bit(24);
constexpr uint32_t kPllReady = bit(25);
// RCC_CFGR: SW bits 0 to 1, SWS bits 2 to 3; 2 is the PLL.
constexpr uint32_t kSwitchPll = 2;
constexpr uint32_t kSwitchedToPll = 2U << 2;
constexpr uint32_t kSwitchStateMask = 3U << 2;
// PWR_CR bit 14: voltage scale 1, needed above 144 MHz (5.4.1). PWR_CSR bit 14: reached.
constexpr uint32_t kVoltageScale1 = bit(14);
// FLASH_ACR: instruction cache, data cache and prefetch (3.9.1).
constexpr uint32_t kFlashCaches = bit(8) | bit(9) | bit(10);
// RCC_APB1ENR: PWR.
constexpr uint32_t kPwrClock = bit(28);

// More than any start-up time of the data sheet (PLL lock 300 us, DS8626 table 36) at 16 MHz.
constexpr uint32_t kPatience = 100000;

const ClockPlan *inForce = &kFallback;
bool inSimulator;

bool becomes(uint32_t address, uint32_t mask, uint32_t value) {
  for (uint32_t i = 0; i < kPatience; i++) {
    if ((reg(address) & mask) == value) return true;
  }
  return false;
}

bool startPll() {
  reg(kRccApb1enr) |= kPwrClock;
  reg(kPwrCr) |= kVoltageScale1;
  reg(kRccPllcfgr) = kFullSpeed.pllcfgr();
  reg(kRccCr) |= kPllOn;
  // The regulator reaches scale 1 only while the PLL is on.
  if (!becomes(kRccCr, kPllReady, kPllReady)) return false;
  if (!becomes(kPwrCsr, kVoltageScale1, kVoltageScale1)) return false;
  // Wait states before speed; the manual asks for a read-back (3.5.1).
  reg(kFlashAcr) = kFlashCaches | kFullSpeed.flashWaitStates();
  if (!becomes(kFlashAcr, 0xF, kFullSpeed.flashWaitStates())) return false;
  reg(kRccCfgr) = kFullSpeed.cfgrPrescalers();
  reg(kRccCfgr) = kFullSpeed.cfgrPrescalers() | kSwitchPll;
  return becomes(kRccCfgr, kSwitchStateMask, kSwitchedToPll);
}

void stayOnHsi() {
  reg(kRccCfgr) = 0;
  reg(kRccCr) &= ~kPllOn;
}

}  // namespace

const ClockPlan &startClocks() {
  inSimulator = reg(kRccCr) == 0;
  if (inSimulator || startPll()) {
    inForce = &kFullSpeed;
  } else {
    stayOnHsi();
    inForce = &kFallback;
  }
  return *inForce;
}

bool simulated() { return inSimulator; }
const ClockPlan &clocks() { return *inForce; }

}  // namespace stm32f4

namespace port {

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
