#include "bench/pins.h"

#include "Arduino.h"
#include "bench/clock.h"
#include "bench/echoes.h"
#include "bench/irq.h"
#include "bench/port.h"
#include "bench/records.h"

namespace bench {
namespace {

struct Pin {
  port::PinMode mode;
  bool level;    // what was last written
  bool written;  // whether anything was
  uint8_t edge;  // CHANGE, FALLING or RISING
  void (*handler)();
#ifdef BENCH_TEST
  bool mirrored;  // a record has told the level
  bool told;      // an error was reported for this pin
  bool levelInjected;
  bool levelIn;
  bool analogInjected;
  bool echoes;    // its level is that of an echo
  bool triggers;  // its pulses call for one
  uint16_t analogIn;
  uint16_t sent;        // records in this second
  uint32_t suppressed;  // changes since the last summary that got no record
  uint32_t second;      // which second `sent` counts
#endif
};

Pin pins[port::kPinCount];
int readBits = 10;

#ifdef BENCH_TEST

// What the console can carry beside a sketch's own text: a pin that changes faster is told by a
// summary each 100 ms. Counted on the device's clock, so that a simulator and a board say the same.
constexpr uint16_t kRecordsPerSecond = 50;
constexpr uint32_t kSummaryMs = 100;

bool closedWorld;
uint32_t pinsWithSummary;

bool pullLevel(const Pin &pin) { return pin.mode == port::PinMode::kInputPullUp; }

bool wantsEdge(const Pin &pin, bool rising) {
  return pin.edge == CHANGE || pin.edge == (rising ? RISING : FALLING);
}

void summarize(uint32_t number) {
  Pin &pin = pins[number];
  if (pin.suppressed == 0) return;
  Record("PIN").pin(number).number("n", static_cast<unsigned long>(pin.suppressed))
      .number("last", pin.level ? 1UL : 0UL).send();
  pin.suppressed = 0;
  pinsWithSummary--;
}

// Tells a change of an output's level, or counts it for the next summary.
void mirror(uint32_t number) {
  Pin &pin = pins[number];
  pin.mirrored = true;
  bool send = false;
  {
    const IrqLock lock;
    const uint32_t second = uptimeMs() / 1000;
    if (pin.second != second) {
      pin.second = second;
      pin.sent = 0;
    }
    // While a summary is owed, further changes belong to it: records stay in order.
    send = pin.sent < kRecordsPerSecond && pin.suppressed == 0;
    if (send) {
      pin.sent = static_cast<uint16_t>(pin.sent + 1);
    } else if (pin.suppressed++ == 0) {
      pinsWithSummary++;
    }
  }
  if (send) Record("PIN").pin(number).number("v", pin.level ? 1UL : 0UL).send();
}

void reportOnce(const char *code, uint32_t number) {
  static bool outsideTold;
  bool &told = number < port::kPinCount ? pins[number].told : outsideTold;
  if (told) return;
  told = true;
  recordPinError(code, number);
}

#endif

// The pin's state, or nullptr (reported once) when a sketch may not use it.
Pin *usable(uint32_t number) {
  const bool exists = number < port::kPinCount && port::pinExists(number);
  if (exists && !port::pinReserved(number)) return &pins[number];
#ifdef BENCH_TEST
  reportOnce(exists ? "reserved-pin" : "bad-pin", number);
#endif
  return nullptr;
}

bool drives(port::PinMode mode) {
  return mode == port::PinMode::kOutput || mode == port::PinMode::kOutputOpenDrain;
}

port::PinMode modeOf(uint32_t mode) {
  switch (mode) {
    case OUTPUT: return port::PinMode::kOutput;
    case INPUT_PULLUP: return port::PinMode::kInputPullUp;
    case INPUT_PULLDOWN: return port::PinMode::kInputPullDown;
    case OUTPUT_OPENDRAIN: return port::PinMode::kOutputOpenDrain;
    default: return port::PinMode::kInput;
  }
}

// The level on an input pin, injected or real.
bool inputLevel(uint32_t number) {
#ifdef BENCH_TEST
  const Pin &pin = pins[number];
  if (pin.echoes) return echoLevel(number);
  if (pin.levelInjected) return pin.levelIn;
  if (pin.analogInjected) return pin.analogIn > kAdcFullScale / 2;
  if (closedWorld) return pullLevel(pin);
#endif
  return port::pinRead(number);
}

uint32_t analogCounts(uint32_t number) {
#ifdef BENCH_TEST
  const Pin &pin = pins[number];
  if (pin.analogInjected) return pin.analogIn;
  if (closedWorld) return 0;
#endif
  const int counts = port::adcRead(number);
#ifdef BENCH_TEST
  if (counts < 0) reportOnce("adc-timeout", number);
#endif
  return counts < 0 ? 0 : static_cast<uint32_t>(counts);
}

}  // namespace

#ifdef BENCH_TEST

void pinsCloseWorld() { closedWorld = true; }

bool pinInjectLevel(uint32_t number, bool high) {
  if (number >= port::kPinCount || !port::pinExists(number)) return false;
  Pin &pin = pins[number];
  const bool before = inputLevel(number);
  pin.levelInjected = true;
  pin.levelIn = high;
  if (pin.handler != nullptr && before != high && wantsEdge(pin, high)) pin.handler();
  return true;
}

bool pinInjectAnalog(uint32_t number, uint32_t counts) {
  if (number >= port::kPinCount || !port::pinExists(number)) return false;
  Pin &pin = pins[number];
  pin.analogInjected = true;
  pin.analogIn = static_cast<uint16_t>(counts > kAdcFullScale ? kAdcFullScale : counts);
  return true;
}

bool pinEchoes(uint32_t number, uint32_t trigger) {
  if (number >= port::kPinCount || !port::pinExists(number)) return false;
  if (trigger >= port::kPinCount || !port::pinExists(trigger)) return false;
  pins[number].echoes = true;
  pins[trigger].triggers = true;
  return true;
}

bool pinIsEcho(uint32_t number) { return number < port::kPinCount && pins[number].echoes; }

void pinsTick(uint32_t now) {
  if (pinsWithSummary == 0 || now % kSummaryMs != 0) return;
  pinsFinish();
}

void pinsFinish() {
  for (uint32_t number = 0; number < port::kPinCount; number++) summarize(number);
}

#endif

void onEdge(uint32_t number) {
  if (number < port::kPinCount && pins[number].handler != nullptr) pins[number].handler();
}

}  // namespace bench

using bench::pins;

void pinMode(uint32_t number, uint32_t mode) {
  bench::Pin *pin = bench::usable(number);
  if (pin == nullptr) return;
  const bool drove = bench::drives(pin->mode);
  pin->mode = bench::modeOf(mode);
  port::pinConfigure(number, pin->mode);
#ifdef BENCH_TEST
  // A level written before the pin became an output appears on it now.
  if (!drove && bench::drives(pin->mode) && pin->written) bench::mirror(number);
#else
  static_cast<void>(drove);
#endif
}

void digitalWrite(uint32_t number, uint32_t value) {
  bench::Pin *pin = bench::usable(number);
  if (pin == nullptr) return;
  const bool high = value != LOW;
  const bool changed = !pin->written || pin->level != high;
  port::pinWrite(number, high);
  pin->level = high;
  pin->written = true;
#ifdef BENCH_TEST
  if (!bench::drives(pin->mode)) return;
  // The time that a record takes is none of the trigger's: a release build does not spend it.
  if (pin->triggers && !high) bench::echoTrigger(number, false);
  if (changed || !pin->mirrored) bench::mirror(number);
  if (pin->triggers && high) bench::echoTrigger(number, true);
#else
  static_cast<void>(changed);
#endif
}

int digitalRead(uint32_t number) {
  const bench::Pin *pin = bench::usable(number);
  if (pin == nullptr) return LOW;
  if (pin->mode == port::PinMode::kOutput) return pin->level ? HIGH : LOW;
  // An open drain pulls low or lets go; then the other side decides.
  if (pin->mode == port::PinMode::kOutputOpenDrain && !pin->level) return LOW;
  return bench::inputLevel(number) ? HIGH : LOW;
}

int analogRead(uint32_t number) {
  if (bench::usable(number) == nullptr) return 0;
  if (!port::pinHasAdc(number)) {
#ifdef BENCH_TEST
    bench::reportOnce("no-adc", number);
#endif
    return 0;
  }
  const uint32_t counts = bench::analogCounts(number);
  const int shift = bench::readBits - 12;
  return static_cast<int>(shift >= 0 ? counts << shift : counts >> -shift);
}

void analogReadResolution(int bits) { bench::readBits = constrain(bits, 1, 16); }

void attachInterrupt(uint32_t number, void (*handler)(), int mode) {
  bench::Pin *pin = bench::usable(number);
  if (pin == nullptr) return;
  {
    const bench::IrqLock lock;
    pin->handler = handler;
    pin->edge = static_cast<uint8_t>(mode);
  }
  const port::Edge edge = mode == RISING    ? port::Edge::kRising
                          : mode == FALLING ? port::Edge::kFalling
                                            : port::Edge::kChange;
#ifdef BENCH_TEST
  // In a closed world only injected edges count: a floating input must not add its own.
  if (bench::closedWorld) return;
#endif
  if (!port::edgeEnable(number, edge)) {
#ifdef BENCH_TEST
    bench::reportOnce("edge-line-taken", number);
#endif
  }
}

void detachInterrupt(uint32_t number) {
  bench::Pin *pin = bench::usable(number);
  if (pin == nullptr) return;
  port::edgeDisable(number);
  const bench::IrqLock lock;
  pin->handler = nullptr;
}
