// Which pins a package has: for each port the pads that are bonded, PA0 in bit 0 of the first.
#pragma once

#include <stdint.h>

namespace stm32f4 {

constexpr uint32_t kPorts = 9;

struct Package {
  uint16_t pads[kPorts];

  constexpr bool has(uint32_t pin) const {
    return pin / 16 < kPorts && (pads[pin / 16] >> (pin % 16) & 1) != 0;
  }
  // RCC_AHB1ENR: one bit a port.
  constexpr uint32_t portClocks() const {
    uint32_t clocks = 0;
    for (uint32_t port = 0; port < kPorts; port++) clocks |= (pads[port] != 0 ? 1U : 0U) << port;
    return clocks;
  }
};

}  // namespace stm32f4
