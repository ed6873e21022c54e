// What the core must know of this part while it is compiled.
#pragma once

#include <stdint.h>

namespace port {

// GPIO0 to GPIO21; a pin's number is the GPIO's.
constexpr uint32_t kPinCount = 22;
// Four sectors of 4 KiB (docs/adr/0006-flash-map-esp32c3.md).
constexpr uint32_t kStimulusTableSize = 16 * 1024;
// Eight sectors of 4 KiB; the same map.
constexpr uint32_t kDeviceConfigSize = 32 * 1024;
// A delay begun this soon after a tick ends on the tick grid: loops of delay(1) cost one wake-up a
// millisecond, and a chain of delays does not drift by the code between them. It is what some lines
// of text and records take this processor.
constexpr uint32_t kOnGridUs = 250;

}  // namespace port
