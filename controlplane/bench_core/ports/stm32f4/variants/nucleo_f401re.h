// ST NUCLEO-F401RE (MB1136 with STM32F401RET6). Source: ST, UM1724 "STM32 Nucleo-64 boards": sections on
// LEDs, push-buttons, USART communication, OSC clock, and the Arduino connectors (from the manual,
// not checked against it). Not tried on hardware.
#pragma once

#include "variants/pins_stm32f4.h"

// LD2, green; lights when PA5 is high.
constexpr uint32_t LED_BUILTIN = PA5;
// B1, blue; low while pressed.
constexpr uint32_t USER_BTN = PC13;

// The Arduino connector CN8.
constexpr uint32_t A0 = PA0;
constexpr uint32_t A1 = PA1;
constexpr uint32_t A2 = PA4;
constexpr uint32_t A3 = PB0;
constexpr uint32_t A4 = PC1;
constexpr uint32_t A5 = PC0;

namespace bench_variant {

// USART2 goes to the ST-LINK's virtual port.
constexpr uint32_t kConsoleUsart = 2;
constexpr uint32_t kConsoleTx = PA2;
constexpr uint32_t kConsoleRx = PA3;
// The ST-LINK's 8 MHz clock (its MCO) drives OSC_IN; there is no crystal of its own.
constexpr uint32_t kHseHz = 8000000;
constexpr bool kHseIsClock = true;
// The console, the debugger (SWDIO, SWCLK) and the clock input: a sketch may not have them.
constexpr uint32_t kReservedPins[] = {PA2, PA3, PA13, PA14, PH0, PH1};

}  // namespace bench_variant
