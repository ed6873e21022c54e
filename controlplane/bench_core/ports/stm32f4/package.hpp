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

constexpr uint16_t kAll = 0xFFFF;
constexpr uint16_t kNoPb11 = 0xF7FF;  // the regulator's capacitor has its pad
constexpr uint16_t kCrystalPads = 0x0003;

// DS8626 table 7: PD2 alone of port D, PH0 and PH1 for the crystal.
constexpr Package kLqfp64F405 = {{kAll, kAll, kAll, 0x0004, 0, 0, 0, kCrystalPads, 0}};
// Pin tables of the data sheets of the F401 (DS10086), F411 (DS10314) and F446 (DS10693): as above,
// without PB11. From the data sheets, not checked against them.
constexpr Package kLqfp64 = {{kAll, kNoPb11, kAll, 0x0004, 0, 0, 0, kCrystalPads, 0}};
// Pin table of DS10314: no port C but PC13 to PC15, no port D. Not checked against it.
constexpr Package kUfqfpn48 = {{kAll, kNoPb11, 0xE000, 0, 0, 0, 0, kCrystalPads, 0}};
// DS8626 table 7.
constexpr Package kLqfp100 = {{kAll, kAll, kAll, kAll, kAll, 0, 0, kCrystalPads, 0}};

}  // namespace stm32f4
