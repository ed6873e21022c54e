// The core's one clock: whole milliseconds counted by the tick.
#pragma once

#include <stdint.h>

namespace bench {

extern volatile uint32_t tickCount;

inline uint32_t uptimeMs() { return tickCount; }

}  // namespace bench
