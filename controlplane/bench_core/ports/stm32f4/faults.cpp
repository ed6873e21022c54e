// Fault handlers: what broke, where, and the address it wanted (DDI0403E B1.5, B3.2.15 to 18).
#include <stdint.h>

#include "bench/port.h"
#include "port_state.h"
#include "registers.h"

extern "C" {
extern uint32_t _estack[];
extern char _heap_end[];  // the lowest address of the stack
}

namespace stm32f4 {

namespace {

// The MPU (DDI0403E B3.5), region 0: 1 KiB at the bottom of the stack that nobody may touch. A
// stack that grows too far is a fault there, instead of silently overwriting the heap.
constexpr uint32_t kMpuCtrl = 0xE000ED94;
constexpr uint32_t kMpuRbar = 0xE000ED9C;
constexpr uint32_t kMpuRasr = 0xE000EDA0;
constexpr uint32_t kRegionValid = bit(4);
constexpr uint32_t kExecuteNever = bit(28);
constexpr uint32_t kSize1KiB = 9U << 1;  // 2^(9 + 1) bytes; access bits 0: none
constexpr uint32_t kRegionOn = bit(0);
// On, with the default map everywhere else. Not in hard faults, which must get their report out.
constexpr uint32_t kMpuOn = bit(2) | bit(0);

void guardStack() {
  reg(kMpuRbar) = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(_heap_end)) | kRegionValid;
  reg(kMpuRasr) = kExecuteNever | kSize1KiB | kRegionOn;
  reg(kMpuCtrl) = kMpuOn;
  __asm volatile("dsb\n isb" ::: "memory");
}

}  // namespace

void enableFaults() {
  guardStack();
  // SHCSR bits 16 to 18: memory, bus and usage faults instead of the one hard fault for all.
  reg(kShcsr) |= bit(16) | bit(17) | bit(18);
}

namespace {

// CFSR: which address registers hold something.
constexpr uint32_t kMmfarValid = bit(7);
constexpr uint32_t kBfarValid = bit(15);
// CFSR: stacking failed, so the frame in memory is not one.
constexpr uint32_t kStackingFailed = bit(4) | bit(12);

constexpr uint32_t kRamStart = 0x20000000;

}  // namespace
}  // namespace stm32f4

extern "C" {

// `frame` is what the processor pushed: r0 to r3, r12, lr, pc, psr.
__attribute__((used)) void reportFault(const uint32_t *frame, const char *kind) {
  using namespace stm32f4;
  const uint32_t cfsr = reg(kCfsr);
  const uintptr_t at = reinterpret_cast<uintptr_t>(frame);
  const bool readable = !(cfsr & kStackingFailed) && at >= kRamStart &&
                        at + 32 <= reinterpret_cast<uintptr_t>(_estack) && at % 4 == 0;
  uint32_t address = 0;
  if (cfsr & kMmfarValid) address = reg(kMmfar);
  if (cfsr & kBfarValid) address = reg(kBfar);
  bench::onFault(faultOf(kind, readable ? frame[6] : 0, readable ? frame[5] : 0, cfsr, reg(kHfsr),
                         address));
}

// Where the stack itself is what broke, the report starts again at its top.
#define FAULT_HANDLER(handler, text)                     \
  __attribute__((naked)) void handler() {                \
    __asm volatile(                                      \
        "tst lr, #4\n"                                   \
        "ite eq\n"                                       \
        "mrseq r0, msp\n"                                \
        "mrsne r0, psp\n"                                \
        "ldr r2, =_heap_end + 2048\n"                    \
        "cmp r0, r2\n"                                   \
        "itt lo\n"                                       \
        "ldrlo r2, =_estack\n"                           \
        "msrlo msp, r2\n"                                \
        "ldr r1, =%c0\n"                                 \
        "b reportFault\n" ::"i"(text));                  \
  }                                                      \
  static_assert(true, "")

static constexpr char kHard[] = "hard";
static constexpr char kMem[] = "mem";
static constexpr char kBus[] = "bus";
static constexpr char kUsage[] = "usage";
static constexpr char kNmi[] = "irq";

FAULT_HANDLER(HardFault_Handler, kHard);
FAULT_HANDLER(MemManage_Handler, kMem);
FAULT_HANDLER(BusFault_Handler, kBus);
FAULT_HANDLER(UsageFault_Handler, kUsage);
FAULT_HANDLER(NMI_Handler, kNmi);

}  // extern "C"

namespace port {

bench::Fault abortFault(uint32_t caller) {
  return stm32f4::faultOf("abort", caller, caller, 0, 0, 0);
}

}  // namespace port
