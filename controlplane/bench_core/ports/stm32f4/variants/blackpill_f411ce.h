// WeAct "Black Pill" (STM32F411CEU6, version 2.0 and later). Source: WeActStudio, MiniSTM32F4x1
// schematic: LED, KEY, crystals (from memory of it, not checked against it). Not tried on hardware.
#pragma once

#include "variants/pins_stm32f4.h"

// The blue LED lights when PC13 is low.
constexpr uint32_t LED_BUILTIN = PC13;
// KEY; low while pressed, and it needs INPUT_PULLUP.
constexpr uint32_t USER_BTN = PA0;

// Analog inputs in the order of the pins.
constexpr uint32_t A0 = PA0;
constexpr uint32_t A1 = PA1;
constexpr uint32_t A2 = PA2;
constexpr uint32_t A3 = PA3;
constexpr uint32_t A4 = PA4;
constexpr uint32_t A5 = PA5;
constexpr uint32_t A6 = PA6;
constexpr uint32_t A7 = PA7;
constexpr uint32_t A8 = PB0;
constexpr uint32_t A9 = PB1;

namespace bench_variant {

constexpr uint32_t kConsoleUsart = 1;
constexpr uint32_t kConsoleTx = PA9;
constexpr uint32_t kConsoleRx = PA10;
constexpr uint32_t kHseHz = 25000000;
constexpr bool kHseIsClock = false;
// The console, the debugger (SWDIO, SWCLK) and the crystal: a sketch may not have them.
constexpr uint32_t kReservedPins[] = {PA9, PA10, PA13, PA14, PH0, PH1};

}  // namespace bench_variant
