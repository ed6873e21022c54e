// Pins. Levels go out by the set and clear registers, which need no reading and are atomic.
#include BENCH_VARIANT_HEADER

#include "bench/port.h"
#include "port_state.h"
#include "registers.h"

namespace esp32c3 {
namespace {

// IO_MUX: function 1 is GPIO, drive strength 2 (the reset value).
constexpr uint32_t kFunctionGpio = 1U << 12;
constexpr uint32_t kDrive = 2U << 10;
constexpr uint32_t kInputOn = bit(9);
constexpr uint32_t kPullUp = bit(8);
constexpr uint32_t kPullDown = bit(7);
// GPIO_PIN: bit 2 is open drain. Interrupt bits belong to edges.cpp.
constexpr uint32_t kOpenDrain = bit(2);
// GPIO_FUNC_OUT_SEL: 128 takes the level from GPIO_OUT and the enable from GPIO_ENABLE.
constexpr uint32_t kPlainOutput = 128;

uint32_t pullOf(port::PinMode mode) {
  if (mode == port::PinMode::kInputPullUp) return kPullUp;
  return mode == port::PinMode::kInputPullDown ? kPullDown : 0;
}

// SAR ADC 1: GPIO0 to GPIO4 are its channels 0 to 4. GPIO5 belongs to ADC 2, which the data sheet's
// errata call unusable (from the errata, not checked against them).
constexpr uint32_t kAdcPins = 5;

constexpr uint32_t kAdcGate = bit(28);  // APB SARADC in PERIP_CLK_EN0 and PERIP_RST_EN0
constexpr uint32_t kAdcPowered = 3U << 27;
constexpr uint32_t kAdcClockRuns = bit(6);
constexpr uint32_t kAdcSampleClock = 4U << 7;  // the reset value of the divider
// The bus clock (2) divided by 8: 5 MHz.
constexpr uint32_t kAdcClock = (2U << 21) | bit(20) | 7;
constexpr uint32_t kAdcOnce = bit(31);
constexpr uint32_t kAdcStart = bit(29);
constexpr uint32_t kAdcLargestAttenuation = 3U << 23;
constexpr uint32_t kAdcDone = bit(31);
constexpr uint32_t kAdcPatience = 20000;
// With this attenuation about 2000 counts are 1370 mV (ESP-IDF, esp_efuse_rtc_calib.c), so that 4095
// would be 2805 mV. Counts are scaled so that 4095 stand for 3300 mV, as on every part; above some
// 2500 mV the converter saturates (data sheet, not checked against it). The part's own calibration
// is not read.
constexpr uint32_t kAdcFullMv = 2805;
constexpr uint32_t kWantedFullMv = 3300;

void startAdc() {
  reg(kSystemClkEnable0) |= kAdcGate;
  reg(kSystemReset0) &= ~kAdcGate;
  reg(kAdcCtrl) = kAdcPowered | kAdcSampleClock | kAdcClockRuns;
  reg(kAdcClockConf) = kAdcClock;
}

}  // namespace
}  // namespace esp32c3

namespace port {

using namespace esp32c3;

bool pinExists(uint32_t pin) { return pin < kPinCount; }

bool pinReserved(uint32_t pin) {
  for (const uint32_t reserved : kReservedPins) {
    if (pin == reserved) return true;
  }
  return false;
}

void pinConfigure(uint32_t pin, PinMode mode) {
  const bool output = mode == PinMode::kOutput || mode == PinMode::kOutputOpenDrain;
  const uint32_t state = irqSave();
  reg(gpioOutSource(pin)) = kPlainOutput;
  const uint32_t drain = mode == PinMode::kOutputOpenDrain ? kOpenDrain : 0;
  reg(gpioPin(pin)) = (reg(gpioPin(pin)) & ~kOpenDrain) | drain;
  reg(ioMux(pin)) = kFunctionGpio | kDrive | kInputOn | pullOf(mode);
  reg(output ? kGpioEnableSet : kGpioEnableClear) = bit(pin);
  irqRestore(state);
}

void pinWrite(uint32_t pin, bool high) { reg(high ? kGpioOutSet : kGpioOutClear) = bit(pin); }

bool pinRead(uint32_t pin) { return (reg(kGpioIn) & bit(pin)) != 0; }

bool pinHasAdc(uint32_t pin) { return pin < kAdcPins; }

int adcRead(uint32_t pin) {
  static bool started;
  if (!started) {
    startAdc();
    started = true;
  }
  reg(kGpioEnableClear) = bit(pin);
  reg(ioMux(pin)) = kFunctionGpio | kDrive;  // no pulls, digital input off
  reg(kAdcIntClear) = kAdcDone;
  const uint32_t setting = kAdcOnce | (pin << 25) | kAdcLargestAttenuation;
  reg(kAdcOnetime) = setting;
  reg(kAdcOnetime) = setting | kAdcStart;
  int counts = -1;
  for (uint32_t i = 0; i < kAdcPatience; i++) {
    if (reg(kAdcIntRaw) & kAdcDone) {
      const uint32_t raw = reg(kAdc1Data) & 0xFFF;
      counts = static_cast<int>(raw * kAdcFullMv / kWantedFullMv);
      break;
    }
  }
  reg(kAdcOnetime) = 0;
  return counts;
}

}  // namespace port
