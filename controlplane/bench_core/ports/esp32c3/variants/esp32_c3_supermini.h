// ESP32-C3 SuperMini, a board of many makers without a common document. Source: published pin
// diagrams (not checked against a schematic). Not tried on hardware.
#pragma once

#include "variants/pins_esp32c3.h"

// The blue LED lights when GPIO8 is low.
constexpr uint32_t LED_BUILTIN = GPIO8;
// The BOOT button; low while pressed.
constexpr uint32_t USER_BTN = GPIO9;
