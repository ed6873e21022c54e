// ST STM32F407G-DISC1 (MB997 with STM32F407VGT6). Source: ST, UM1472 "Discovery kit with STM32F407VG
// MCU": sections on LEDs, push-buttons, OSC clock, and the table of extension connectors (from the
// manual, not checked against it). Not tried on hardware.
#pragma once

#include "variants/pins_stm32f4.h"

// LD4, green; lights when PD12 is high. LD3 (orange), LD5 (red) and LD6 (blue) are PD13 to PD15.
constexpr uint32_t LED_BUILTIN = PD12;
// B1, blue; high while pressed.
constexpr uint32_t USER_BTN = PA0;

// Analog inputs that nothing on the board uses, in the order of the pins.
constexpr uint32_t A0 = PA1;
constexpr uint32_t A1 = PB0;
constexpr uint32_t A2 = PB1;
constexpr uint32_t A3 = PC1;
constexpr uint32_t A4 = PC2;
constexpr uint32_t A5 = PC4;
constexpr uint32_t A6 = PC5;

namespace bench_variant {

// The board's ST-LINK has no virtual port on these pins: an adapter is needed.
constexpr uint32_t kConsoleUsart = 2;
constexpr uint32_t kConsoleTx = PA2;
constexpr uint32_t kConsoleRx = PA3;
constexpr uint32_t kHseHz = 8000000;
constexpr bool kHseIsClock = false;
// The console, the debugger (SWDIO, SWCLK) and the crystal: a sketch may not have them.
constexpr uint32_t kReservedPins[] = {PA2, PA3, PA13, PA14, PH0, PH1};

}  // namespace bench_variant
