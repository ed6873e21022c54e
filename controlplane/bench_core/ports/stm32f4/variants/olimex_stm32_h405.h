// Olimex STM32-H405 (STM32F405RGT6). Source: Olimex, "STM32-H405 development board user's manual",
// sections on the status LED, the WKUP button, and the EXT1 and EXT2 connectors.
#pragma once

#include "variants/pins_stm32f4.h"

// The status LED lights when PC12 is low.
constexpr uint32_t LED_BUILTIN = PC12;
// The WKUP button; high while pressed, with a pull-down on the board. Not tried on hardware: some
// published board files say it is low while pressed.
constexpr uint32_t USER_BTN = PA0;

// Analog inputs in the order of the pins, without the console's PA2 and PA3.
constexpr uint32_t A0 = PA0;
constexpr uint32_t A1 = PA1;
constexpr uint32_t A2 = PA4;
constexpr uint32_t A3 = PA5;
constexpr uint32_t A4 = PA6;
constexpr uint32_t A5 = PA7;
constexpr uint32_t A6 = PB0;
constexpr uint32_t A7 = PB1;
constexpr uint32_t A8 = PC0;
constexpr uint32_t A9 = PC1;
constexpr uint32_t A10 = PC2;
constexpr uint32_t A11 = PC3;
constexpr uint32_t A12 = PC4;
constexpr uint32_t A13 = PC5;

namespace bench_variant {

// EXT2 pins 7 and 10.
constexpr uint32_t kConsoleUsart = 2;
constexpr uint32_t kConsoleTx = PA2;
constexpr uint32_t kConsoleRx = PA3;
constexpr uint32_t kHseHz = 8000000;
constexpr bool kHseIsClock = false;
// The console, the debugger (SWDIO, SWCLK) and the crystal: a sketch may not have them.
constexpr uint32_t kReservedPins[] = {PA2, PA3, PA13, PA14, PH0, PH1};

}  // namespace bench_variant
