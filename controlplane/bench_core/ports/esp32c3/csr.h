// The processor's control registers. The compiler is told rv32imc, because adding zicsr would choose
// libraries of another width; each access turns the extension on for itself.
#pragma once

#include <stdint.h>

#define ESP32C3_CSR(text) ".option push\n.option arch, +zicsr\n" text "\n.option pop"

namespace esp32c3 {

constexpr uint32_t kInterruptsOn = 8;  // mstatus.MIE

inline uint32_t interruptState() {
  uint32_t state;
  __asm volatile(ESP32C3_CSR("csrr %0, mstatus") : "=r"(state));
  return state & kInterruptsOn;
}

inline uint32_t maskInterrupts() {
  uint32_t state;
  __asm volatile(ESP32C3_CSR("csrrci %0, mstatus, 8") : "=r"(state)::"memory");
  return state & kInterruptsOn;
}

inline void setInterrupts(uint32_t state) {
  __asm volatile(ESP32C3_CSR("csrs mstatus, %0")::"r"(state) : "memory");
}

inline uint32_t trapValue() {
  uint32_t value;
  __asm volatile(ESP32C3_CSR("csrr %0, mtval") : "=r"(value));
  return value;
}

// Forbids an aligned power of two of bytes to everyone, this mode included, until the next reset:
// entry 0 of the physical memory protection, locked, naturally aligned, no access.
inline void forbid(uintptr_t start, uint32_t bytes) {
  const uint32_t address = static_cast<uint32_t>(start >> 2) | ((bytes >> 3) - 1);
  constexpr uint32_t kLockedAligned = 0x98;
  __asm volatile(ESP32C3_CSR("csrw pmpaddr0, %0\n csrw pmpcfg0, %1")
                 ::"r"(address), "r"(kLockedAligned)
                 : "memory");
}

}  // namespace esp32c3
