// Pulse measurement and shift registers, made of the pin functions.
#include "Arduino.h"
#include "bench/echoes.h"
#include "bench/pins.h"

namespace {

// Spins until the pin has `level`; false when `timeoutUs` after `start` have passed.
bool waitForLevel(uint32_t pin, int level, unsigned long start, unsigned long timeoutUs) {
  while (digitalRead(pin) != level) {
    if (micros() - start >= timeoutUs) return false;
  }
  return true;
}

}  // namespace

unsigned long pulseIn(uint32_t pin, uint32_t level, unsigned long timeoutUs) {
  const int active = level != LOW ? HIGH : LOW;
  const int idle = active == HIGH ? LOW : HIGH;
#ifdef BENCH_TEST
  if (active == HIGH && bench::pinIsEcho(pin)) {
    return bench::echoPulse(pin, static_cast<uint32_t>(timeoutUs));
  }
#endif
  const unsigned long start = micros();
  if (!waitForLevel(pin, idle, start, timeoutUs)) return 0;
  if (!waitForLevel(pin, active, start, timeoutUs)) return 0;
  const unsigned long began = micros();
  if (!waitForLevel(pin, idle, start, timeoutUs)) return 0;
  return micros() - began;
}

unsigned long pulseInLong(uint32_t pin, uint32_t level, unsigned long timeoutUs) {
  return pulseIn(pin, level, timeoutUs);
}

uint8_t shiftIn(uint32_t dataPin, uint32_t clockPin, uint8_t order) {
  unsigned value = 0;
  for (unsigned i = 0; i < 8; i++) {
    digitalWrite(clockPin, HIGH);
    const unsigned in = digitalRead(dataPin) == HIGH ? 1U : 0U;
    value |= in << (order == LSBFIRST ? i : 7 - i);
    digitalWrite(clockPin, LOW);
  }
  return static_cast<uint8_t>(value);
}

void shiftOut(uint32_t dataPin, uint32_t clockPin, uint8_t order, uint8_t value) {
  for (unsigned i = 0; i < 8; i++) {
    digitalWrite(dataPin, (value >> (order == LSBFIRST ? i : 7 - i)) & 1U);
    digitalWrite(clockPin, HIGH);
    digitalWrite(clockPin, LOW);
  }
}
