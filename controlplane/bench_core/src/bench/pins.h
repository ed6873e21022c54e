// Pins as the core sees them: what a sketch set, and what was injected instead of the real world.
#pragma once

#include <stdint.h>

namespace bench {

constexpr uint32_t kAdcFullScale = 4095;

#ifdef BENCH_TEST

// Inputs that nobody injects read their pull, analog ones 0.
void pinsCloseWorld();
// False when there is no such pin. The digital form calls an attached handler on its edge.
bool pinInjectLevel(uint32_t pin, bool high);
bool pinInjectAnalog(uint32_t pin, uint32_t counts);
// From now on `pin` has the level of an echo, and `trigger` calls for one. False as above.
bool pinEchoes(uint32_t pin, uint32_t trigger);
bool pinIsEcho(uint32_t pin);
// From the tick: sends the summaries of pins that used up their records.
void pinsTick(uint32_t now);
// Sends what summaries are still owed.
void pinsFinish();

#endif

}  // namespace bench
