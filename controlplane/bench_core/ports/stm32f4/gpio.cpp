// Pins. Configuration registers are never read: each is written whole from a shadow that starts
// with the reset value. A simulator without GPIO reads 0 there, and with the shadow its log of
// register writes shows the true mode of every pin. Levels go out by BSRR alone, which needs no
// reading and is atomic.
#include BENCH_VARIANT_HEADER

#include "bench/port.h"
#include "part.h"
#include "port_state.h"
#include "registers.h"

namespace stm32f4 {
namespace {

// Reset values: RM0090 8.4.1 and 8.4.4. The bits of ports A and B that are set belong to the
// debugger's pins.
uint32_t moder[kPorts] = {0xA8000000, 0x00000280};
uint32_t pupdr[kPorts] = {0x64000000, 0x00000100};
uint32_t otyper[kPorts];
uint32_t afr[kPorts][2];

// MODER: 0 input, 1 output, 2 alternate, 3 analog.
constexpr uint32_t kModeInput = 0;
constexpr uint32_t kModeOutput = 1;
constexpr uint32_t kModeAlternate = 2;
constexpr uint32_t kModeAnalog = 3;

void setField(uint32_t &shadow, uint32_t index, uint32_t value) {
  shadow = (shadow & ~(3U << (2 * index))) | (value << (2 * index));
}

void setMode(uint32_t pin, uint32_t mode) {
  const uint32_t at = pin / 16;
  setField(moder[at], pin % 16, mode);
  reg(gpio(at) + kGpioModer) = moder[at];
}

void setPull(uint32_t pin, uint32_t pull) {
  const uint32_t at = pin / 16;
  setField(pupdr[at], pin % 16, pull);
  reg(gpio(at) + kGpioPupdr) = pupdr[at];
}

void setOpenDrain(uint32_t pin, bool open) {
  const uint32_t at = pin / 16;
  const uint32_t mask = bit(pin % 16);
  otyper[at] = open ? otyper[at] | mask : otyper[at] & ~mask;
  reg(gpio(at) + kGpioOtyper) = otyper[at];
}

void setAlternate(uint32_t pin, uint32_t function) {
  const uint32_t at = pin / 16;
  const uint32_t half = pin % 16 / 8;
  const uint32_t shift = 4 * (pin % 8);
  afr[at][half] = (afr[at][half] & ~(0xFU << shift)) | (function << shift);
  reg(gpio(at) + kGpioAfrl + 4 * half) = afr[at][half];
  setMode(pin, kModeAlternate);
}

uint32_t pullOf(uint32_t pin) { return (pupdr[pin / 16] >> (2 * (pin % 16))) & 3U; }

// ADC1 inputs, on all lines as in DS8626 table 7: PA0 to PA7 are 0 to 7, PB0 and PB1 are 8 and 9, PC0 to PC5 are 10
// to 15. 16 means none.
uint32_t adcChannel(uint32_t pin) {
  if (pin <= PA7) return pin;
  if (pin == PB0 || pin == PB1) return 8 + pin - PB0;
  if (pin >= PC0 && pin <= PC5) return 10 + pin - PC0;
  return 16;
}

constexpr uint32_t kAdcOn = bit(0);
constexpr uint32_t kAdcStart = bit(30);
constexpr uint32_t kAdcDone = bit(1);
constexpr uint32_t kAdcPatience = 20000;

void startAdc() {
  reg(kRccApb2enr) |= bit(8);
  reg(kAdcCcr) = adcPrescaler(clocks().apb2Hz()) << 16;
  reg(kAdc1Cr1) = 0;              // 12 bits, single conversion
  reg(kAdc1Smpr1) = 0x04924924;   // 84 cycles of sampling on every channel (code 4), for sources
  reg(kAdc1Smpr2) = 0x24924924;   // of some 10 kOhm
  reg(kAdc1Sqr1) = 0;             // a sequence of one
  reg(kAdc1Cr2) = kAdcOn;
}

}  // namespace

void pinsToConsole() {
  // USART1 and USART2 are AF7 on every pin that has them (DS8626 table 9; the other lines' data
  // sheets not checked). A pull-up keeps an open input idle.
  setPull(bench_variant::kConsoleRx, 1);
  setAlternate(bench_variant::kConsoleTx, 7);
  setAlternate(bench_variant::kConsoleRx, 7);
}

}  // namespace stm32f4

namespace port {

using namespace stm32f4;

bool pinExists(uint32_t pin) { return kPackage.has(pin); }

bool pinReserved(uint32_t pin) {
  for (const uint32_t reserved : bench_variant::kReservedPins) {
    if (pin == reserved) return true;
  }
  return false;
}

void pinConfigure(uint32_t pin, PinMode mode) {
  const bool output = mode == PinMode::kOutput || mode == PinMode::kOutputOpenDrain;
  const uint32_t state = irqSave();
  setOpenDrain(pin, mode == PinMode::kOutputOpenDrain);
  setPull(pin, mode == PinMode::kInputPullUp ? 1 : (mode == PinMode::kInputPullDown ? 2 : 0));
  setMode(pin, output ? kModeOutput : kModeInput);
  irqRestore(state);
}

void pinWrite(uint32_t pin, bool high) {
  reg(gpio(pin / 16) + kGpioBsrr) = bit(pin % 16 + (high ? 0 : 16));
}

bool pinRead(uint32_t pin) {
  // Nothing is wired to a simulated pin, so its pull decides.
  if (simulated()) return pullOf(pin) == 1;
  return (reg(gpio(pin / 16) + kGpioIdr) & bit(pin % 16)) != 0;
}

bool pinHasAdc(uint32_t pin) { return adcChannel(pin) < 16 && kPackage.has(pin); }

int adcRead(uint32_t pin) {
  // QEMU's converter never reports an end of conversion; nothing is wired to it anyway.
  if (simulated()) return 0;
  static bool started;
  if (!started) {
    startAdc();
    started = true;
    // Stabilisation after power-on: at most 3 us (DS8626 table 67).
    for (const uint32_t start = nowUs(); nowUs() - start < 4;) {
    }
  }
  setMode(pin, kModeAnalog);
  reg(kAdc1Sqr3) = adcChannel(pin);
  reg(kAdc1Sr) = 0;
  reg(kAdc1Cr2) = kAdcOn | kAdcStart;
  for (uint32_t i = 0; i < kAdcPatience; i++) {
    if (reg(kAdc1Sr) & kAdcDone) return static_cast<int>(reg(kAdc1Dr) & 0xFFF);
  }
  return -1;
}

}  // namespace port
