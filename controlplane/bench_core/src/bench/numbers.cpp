// random() and map().
#include "Arduino.h"

namespace {

// Xorshift, 32 bits (Marsaglia, "Xorshift RNGs", 2003). Never 0. The same seed gives the same
// sequence on every part.
uint32_t randomState = 1;

uint32_t nextRandom() {
  randomState ^= randomState << 13;
  randomState ^= randomState >> 17;
  randomState ^= randomState << 5;
  return randomState;
}

}  // namespace

void randomSeed(unsigned long seed) {
  if (seed != 0) randomState = static_cast<uint32_t>(seed);
}

long random(long howBig) {
  return howBig <= 0 ? 0 : static_cast<long>(nextRandom() % static_cast<uint32_t>(howBig));
}

long random(long from, long to) {
  if (from >= to) return from;
  const uint32_t span = static_cast<uint32_t>(to) - static_cast<uint32_t>(from);
  return static_cast<long>(static_cast<uint32_t>(from) + nextRandom() % span);
}

long map(long value, long fromLow, long fromHigh, long toLow, long toHigh) {
  // The documented formula divides by zero when the input range is empty; a sensor that stayed
  // constant while a sketch calibrated gets here.
  if (fromHigh == fromLow) return toLow;
  return (value - fromLow) * (toHigh - toLow) / (fromHigh - fromLow) + toLow;
}
