// Pin names of the ESP32-C3, and what no sketch may have on any board.
#pragma once

#include <stdint.h>

enum : uint32_t {
  GPIO0 = 0, GPIO1, GPIO2, GPIO3, GPIO4, GPIO5, GPIO6, GPIO7, GPIO8, GPIO9, GPIO10, GPIO11,
  GPIO12, GPIO13, GPIO14, GPIO15, GPIO16, GPIO17, GPIO18, GPIO19, GPIO20, GPIO21,
};

// The inputs of SAR ADC 1.
constexpr uint32_t A0 = GPIO0;
constexpr uint32_t A1 = GPIO1;
constexpr uint32_t A2 = GPIO2;
constexpr uint32_t A3 = GPIO3;
constexpr uint32_t A4 = GPIO4;

// The flash (11 to 17), USB with the debugger (18, 19) and the console (20, 21).
constexpr uint32_t kReservedPins[] = {GPIO11, GPIO12, GPIO13, GPIO14, GPIO15, GPIO16,
                                      GPIO17, GPIO18, GPIO19, GPIO20, GPIO21};
