// Espressif ESP32-C3-DevKitM-1. Source: Espressif, "ESP32-C3-DevKitM-1" user guide (from the
// manual, not checked against it). Not tried on hardware.
#pragma once

#include "variants/pins_esp32c3.h"

// The LED on the board (GPIO8) is a WS2812: it takes serial data and cannot be switched by a level.
// LED_BUILTIN is therefore a pin of the header: an LED with its resistor between GPIO10 and ground.
constexpr uint32_t LED_BUILTIN = GPIO10;
// The Boot button; low while pressed.
constexpr uint32_t USER_BTN = GPIO9;
