// A board model without a header of its own: everything comes from its entry in the catalogue
// (families/stm32f4.py hands it over). A0, A1, ... are then the first free pins with a converter.
#pragma once

#include "variants/pins_stm32f4.h"

#ifdef BENCH_LED
constexpr uint32_t LED_BUILTIN = BENCH_LED;
#endif
#ifdef BENCH_BUTTON
constexpr uint32_t USER_BTN = BENCH_BUTTON;
#endif
#ifdef BENCH_A0
constexpr uint32_t A0 = BENCH_A0;
#endif
#ifdef BENCH_A1
constexpr uint32_t A1 = BENCH_A1;
#endif
#ifdef BENCH_A2
constexpr uint32_t A2 = BENCH_A2;
#endif
#ifdef BENCH_A3
constexpr uint32_t A3 = BENCH_A3;
#endif
#ifdef BENCH_A4
constexpr uint32_t A4 = BENCH_A4;
#endif
#ifdef BENCH_A5
constexpr uint32_t A5 = BENCH_A5;
#endif

namespace bench_variant {

constexpr uint32_t kConsoleUsart = BENCH_CONSOLE_USART;
constexpr uint32_t kConsoleTx = BENCH_CONSOLE_TX;
constexpr uint32_t kConsoleRx = BENCH_CONSOLE_RX;
constexpr uint32_t kHseHz = BENCH_HSE_HZ;
constexpr bool kHseIsClock = BENCH_HSE_IS_CLOCK;
// The console, the debugger (SWDIO, SWCLK) and the crystal: a sketch may not have them.
constexpr uint32_t kReservedPins[] = {BENCH_CONSOLE_TX, BENCH_CONSOLE_RX, PA13, PA14, PH0, PH1};

}  // namespace bench_variant
