// Watchdogs, the processor's clock, and why the part was reset. Not tried on hardware.
#include "bench/port.h"
#include "port_state.h"
#include "registers.h"

namespace esp32c3 {
namespace {

constexpr uint32_t kWdtKey = 0x50D83AA1;
constexpr uint32_t kSuperWdtKey = 0x8F1D312A;
constexpr uint32_t kSuperWdtFeedsItself = bit(31);

// SYSTEM_SYSCLK_CONF: bits 10 and 11 choose the source, 0 is the crystal; bits 0 to 9 divide it.
constexpr uint32_t kSourceMask = 3U << 10;
constexpr uint32_t kDividerMask = 0x3FF;

// The ROM arms its flash-boot watchdogs; a sketch feeds none.
void stopWatchdogs() {
  reg(kRtcWdtProtect) = kWdtKey;
  reg(kRtcWdtConfig0) = 0;
  reg(kRtcWdtProtect) = 0;
  reg(kRtcSuperWdtProtect) = kSuperWdtKey;
  reg(kRtcSuperWdtConf) |= kSuperWdtFeedsItself;
  reg(kRtcSuperWdtProtect) = 0;
  for (const uint32_t group : kTimerGroups) {
    reg(group + kTimerWdtProtect) = kWdtKey;
    reg(group + kTimerWdtConfig0) = 0;
    reg(group + kTimerWdtProtect) = 0;
  }
}

}  // namespace

void startClocks() {
  stopWatchdogs();
  // The ROM leaves the crystal as the source, divided; undivided it is 40 MHz. The PLL is left
  // alone: nothing here needs more, and time comes from SYSTIMER, the console's rate from the
  // crystal, whatever the processor's clock is.
  const uint32_t conf = reg(kSystemSysclkConf);
  if ((conf & kSourceMask) == 0) reg(kSystemSysclkConf) = conf & ~kDividerMask;
}

}  // namespace esp32c3

namespace port {

const char *clockName() {
  using namespace esp32c3;
  // A simulator need not have this register: it reads 0 there, which is the crystal.
  return (reg(kSystemSysclkConf) & kSourceMask) == 0 ? "xtal40-40" : "other";
}

const char *resetCause() {
  using namespace esp32c3;
  // RTC_CNTL_RESET_STATE bits 0 to 5; the numbers are ESP-IDF's reset_reasons.h. A press of the
  // reset button is a power-on for this part.
  switch (reg(kRtcResetState) & 0x3F) {
    case 0x01: return "power";
    case 0x03:
    case 0x0C: return "soft";
    case 0x05: return "lowpower";
    case 0x07:
    case 0x08:
    case 0x0B:
    case 0x11: return "wwdg";
    case 0x09:
    case 0x0D:
    case 0x10:
    case 0x12: return "iwdg";
    case 0x0F:
    case 0x13:
    case 0x17: return "power";
    default: return "unknown";
  }
}

}  // namespace port
