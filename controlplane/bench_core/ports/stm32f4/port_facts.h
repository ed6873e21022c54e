// What the core must know of this part while it is compiled.
#pragma once

#include <stdint.h>

namespace port {

// A pin's number is port * 16 + bit, PA0 = 0 to PI15 = 143.
constexpr uint32_t kPinCount = 9 * 16;
// Sector 1 (docs/adr/0002-flash-map-stm32f4.md).
constexpr uint32_t kStimulusTableSize = 16 * 1024;

}  // namespace port
