// Interrupts and faults: one entry for all, because every vector of the table leads to it.
#include <stdint.h>

#include "bench/port.h"
#include "csr.h"
#include "port_state.h"
#include "registers.h"

extern "C" {
extern char _stack_top[];
extern char _stack_guard[];  // the lowest address of the stack's reserve
extern char _stack_guard_end[];
}

namespace esp32c3 {

volatile bool servingInterrupt;

void guardStack() {
  const uintptr_t start = reinterpret_cast<uintptr_t>(_stack_guard);
  forbid(start, static_cast<uint32_t>(reinterpret_cast<uintptr_t>(_stack_guard_end) - start));
}

namespace {

constexpr uint32_t kIsInterrupt = bit(31);

// mcause of exceptions, RISC-V privileged architecture 1.11, table 3.6.
const char *kindOf(uint32_t cause, uint32_t address) {
  const bool inGuard = address >= reinterpret_cast<uintptr_t>(_stack_guard) &&
                       address < reinterpret_cast<uintptr_t>(_stack_guard_end);
  switch (cause) {
    case 5:  // load
    case 7:  // store
      return inGuard ? "mem" : "bus";
    case 1:  // instruction fetch
      return "bus";
    default:  // illegal, misaligned, breakpoint, environment call
      return "usage";
  }
}

}  // namespace

}  // namespace esp32c3

extern "C" {

__attribute__((used)) void handleTrap(uint32_t cause, uint32_t pc, uint32_t returnAddress) {
  using namespace esp32c3;
  if ((cause & kIsInterrupt) == 0) {
    const uint32_t address = trapValue();
    bench::onFault({kindOf(cause, address),
                    {{"pc", pc}, {"lr", returnAddress}, {"mcause", cause}, {"addr", address}}});
  }
  servingInterrupt = true;
  switch (cause & ~kIsInterrupt) {
    case kLineTick: onTickInterrupt(); break;
    case kLineAlarm: onAlarmInterrupt(); break;
    case kLineConsole: onConsoleInterrupt(); break;
    case kLineEdge: onEdgeInterrupt(); break;
    default:
      bench::onFault({"irq", {{"pc", 0}, {"lr", 0}, {"mcause", cause}, {"addr", 0}}});
  }
  servingInterrupt = false;
}

// The stack is used up: `pc` is where, and the report runs on a fresh one.
__attribute__((used, noreturn)) void handleOverflow(uint32_t cause, uint32_t pc,
                                                    uint32_t returnAddress) {
  bench::onFault({"mem",
                  {{"pc", pc},
                   {"lr", returnAddress},
                   {"mcause", cause},
                   {"addr", esp32c3::trapValue()}}});
}

// Where a sleep in progress goes on, and the wait itself (see sleepMasked below).
extern char sleepWaits[];
extern char sleepEnds[];

// Saves what a C function may change. An interrupt that comes between "interrupts on" and the wait
// of sleepMasked() would be waited for in vain; it returns behind the wait.
__attribute__((naked, aligned(4))) void trapEntry() {
  __asm volatile(
      ESP32C3_CSR("csrw mscratch, t0") "\n"
      "la t0, _stack_guard_end + 256\n"
      "bltu sp, t0, 9f\n"
      ESP32C3_CSR("csrr t0, mscratch") "\n"
      "addi sp, sp, -80\n"
      "sw ra, 0(sp)\n"
      "sw t0, 4(sp)\n"
      "sw t1, 8(sp)\n"
      "sw t2, 12(sp)\n"
      "sw a0, 16(sp)\n"
      "sw a1, 20(sp)\n"
      "sw a2, 24(sp)\n"
      "sw a3, 28(sp)\n"
      "sw a4, 32(sp)\n"
      "sw a5, 36(sp)\n"
      "sw a6, 40(sp)\n"
      "sw a7, 44(sp)\n"
      "sw t3, 48(sp)\n"
      "sw t4, 52(sp)\n"
      "sw t5, 56(sp)\n"
      "sw t6, 60(sp)\n"
      ESP32C3_CSR("csrr a0, mcause\n csrr a1, mepc\n csrr t0, mstatus") "\n"
      "la t1, sleepWaits\n"
      "bne a1, t1, 1f\n"
      "la a1, sleepEnds\n"
      "1: sw a1, 64(sp)\n"
      "sw t0, 68(sp)\n"
      "mv a2, ra\n"
      "call handleTrap\n"
      "lw t0, 68(sp)\n"
      "lw t1, 64(sp)\n"
      ESP32C3_CSR("csrw mstatus, t0\n csrw mepc, t1") "\n"
      "lw ra, 0(sp)\n"
      "lw t0, 4(sp)\n"
      "lw t1, 8(sp)\n"
      "lw t2, 12(sp)\n"
      "lw a0, 16(sp)\n"
      "lw a1, 20(sp)\n"
      "lw a2, 24(sp)\n"
      "lw a3, 28(sp)\n"
      "lw a4, 32(sp)\n"
      "lw a5, 36(sp)\n"
      "lw a6, 40(sp)\n"
      "lw a7, 44(sp)\n"
      "lw t3, 48(sp)\n"
      "lw t4, 52(sp)\n"
      "lw t5, 56(sp)\n"
      "lw t6, 60(sp)\n"
      "addi sp, sp, 80\n"
      "mret\n"
      "9: la sp, _stack_top\n"
      ESP32C3_CSR("csrr a0, mcause\n csrr a1, mepc") "\n"
      "mv a2, ra\n"
      "call handleOverflow\n");
}

// mtvec in vectored mode: exceptions at its start, line n at 4 * n, each one uncompressed jump.
__attribute__((naked, used, aligned(256))) void trapVectors() {
  __asm volatile(
      ".option push\n"
      ".option norvc\n"
      ".rept 32\n"
      "j trapEntry\n"
      ".endr\n"
      ".option pop\n");
}

}  // extern "C"

namespace port {

// Interrupts are let in for the wait alone, and served inside it: a processor that is only woken by
// interrupts it may take wakes, too.
__attribute__((naked, noinline)) void sleepMasked() {
  __asm volatile(
      ESP32C3_CSR("csrsi mstatus, 8") "\n"
      ".global sleepWaits\n"
      "sleepWaits: wfi\n"
      ".global sleepEnds\n"
      "sleepEnds:\n"
      ESP32C3_CSR("csrci mstatus, 8") "\n"
      "ret\n");
}

[[noreturn]] void halt() {
  static_cast<void>(irqSave());
  esp32c3::reg(esp32c3::kLineEnable) = 0;
  for (;;) __asm volatile("wfi" ::: "memory");
}

bench::Fault abortFault(uint32_t caller) {
  return {"abort", {{"pc", caller}, {"lr", caller}, {"mcause", 0}, {"addr", 0}}};
}

}  // namespace port
