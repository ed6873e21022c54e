// A board model without a header of its own: its LED and button come from its entry in the catalogue
// (families/esp32c3.py hands them over); the rest is the same on every board.
#pragma once

#include "variants/pins_esp32c3.h"

constexpr uint32_t LED_BUILTIN = BENCH_LED;
#ifdef BENCH_BUTTON
constexpr uint32_t USER_BTN = BENCH_BUTTON;
#endif
