// What the core must know of this part while it is compiled.
#pragma once

#include <stdint.h>

namespace port {

// A pin's number is port * 16 + bit, PA0 = 0 to PI15 = 143.
constexpr uint32_t kPinCount = 9 * 16;
// Sector 1 (docs/adr/0002-flash-map-stm32f4.md).
constexpr uint32_t kStimulusTableSize = 16 * 1024;
// Sector 3; the same map.
constexpr uint32_t kDeviceConfigSize = 16 * 1024;
// A delay begun this soon after a tick ends on the tick grid: loops of delay(1) cost one wake-up a
// millisecond, and a chain of delays does not drift by the code between them. It is what some lines
// of text and records take this processor.
constexpr uint32_t kOnGridUs = 50;

}  // namespace port
