// From the ROM to main(), and the start of the port.
//
// Direct boot: the ROM finds the magic twice at flash offset 0, maps flash to 0x42000000 (code) and
// 0x3C000000 (data), and jumps behind the magic (Espressif, esp32c3-direct-boot-example; chip
// revision v0.3 or later).
#include <stdint.h>

#include "bench/port.h"
#include "csr.h"
#include "port_state.h"
#include "registers.h"

extern "C" {

__attribute__((section(".direct_boot"), used)) const uint32_t directBootMagic[2] = {0xAEDB041D,
                                                                                     0xAEDB041D};

int main();

// Stack, global pointer, thread pointer (the C library keeps errno behind it), vectors; then copy
// what is initialised and clear the rest.
__attribute__((naked, noreturn, section(".direct_boot_entry"))) void _start() {
  __asm volatile(
      ".option push\n"
      ".option norelax\n"
      "la gp, __global_pointer$\n"
      ".option pop\n"
      "la sp, _stack_top\n"
      "la tp, _tls_start\n"
      "la t0, trapVectors\n"
      "ori t0, t0, 1\n"
      ESP32C3_CSR("csrw mtvec, t0\n csrci mstatus, 8") "\n"
      "la a0, _data_load\n"
      "la a1, _data_start\n"
      "la a2, _data_end\n"
      "1: bgeu a1, a2, 2f\n"
      "lw t0, 0(a0)\n"
      "sw t0, 0(a1)\n"
      "addi a0, a0, 4\n"
      "addi a1, a1, 4\n"
      "j 1b\n"
      "2: la a1, _bss_start\n"
      "la a2, _bss_end\n"
      "3: bgeu a1, a2, 4f\n"
      "sw zero, 0(a1)\n"
      "addi a1, a1, 4\n"
      "j 3b\n"
      "4: call main\n"
      "5: j 5b\n");
}

}  // extern "C"

namespace esp32c3 {

void enableInterrupt(uint32_t source, uint32_t line, uint32_t priority) {
  reg(sourceToLine(source)) = line;
  reg(linePriority(line)) = priority;
  reg(kLineType) &= ~bit(line);
  reg(kLineEnable) |= bit(line);
}

}  // namespace esp32c3

namespace port {

using namespace esp32c3;

extern const char kPartName[] = BENCH_PART;

void init(uint32_t consoleBaud) {
  guardStack();
  startClocks();
  reg(kLineEnable) = 0;  // whatever the ROM used
  reg(kLineThreshold) = kPriorityThreshold;
  startConsole();
  if (consoleBaud != 0) consoleBegin(consoleBaud);
}

void start() {
  startTick();
  irqEnable();
}

uint32_t irqSave() { return maskInterrupts(); }
void irqRestore(uint32_t state) { setInterrupts(state); }
void irqEnable() { setInterrupts(kInterruptsOn); }
bool inInterrupt() { return servingInterrupt; }
bool canSleep() { return interruptState() != 0 && !servingInterrupt; }

// Their flash offsets (docs/adr/0006-flash-map-esp32c3.md), seen through the data window.
const uint8_t *stimulusTable() { return reinterpret_cast<const uint8_t *>(0x3C1F0000); }
const uint8_t *deviceConfig() { return reinterpret_cast<const uint8_t *>(0x3C1E8000); }

}  // namespace port
