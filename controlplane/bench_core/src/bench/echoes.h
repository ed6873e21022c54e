// Ranging sensors that a table or a host stands in for: they answer a pulse on their trigger pin by
// one on their echo pin, whose width says how far something is.
#pragma once

#ifdef BENCH_TEST

#include <stdint.h>

namespace bench {

// From now on each trigger is answered by a pulse of `widthUs` on `pin`, 0: by none. False when there
// is no such pin, or no room for one more sensor.
bool echoInject(uint32_t pin, uint32_t trigger, uint32_t widthUs);
// The sketch drives a trigger pin to a level.
void echoTrigger(uint32_t trigger, bool high);
// The level of an echo pin at this moment.
bool echoLevel(uint32_t pin);
// What pulseIn() gives on an echo pin: exactly the width that was told, or 0 after the timeout.
uint32_t echoPulse(uint32_t pin, uint32_t timeoutUs);

}  // namespace bench

#endif
