// SysTick: the 1 ms tick, the time within it, and waits that end between two ticks. A test build
// can count microseconds with TIM5: to tell of ticks that were lost, and to pace a simulated line.
#include "bench/clock.h"
#include "bench/port.h"
#include "port_state.h"
#include "registers.h"

namespace stm32f4 {
namespace {

constexpr uint32_t kTickPending = bit(26);  // ICSR
// SYST_CSR: enabled, interrupt, processor clock.
constexpr uint32_t kTickRunning = 7;

// Shorter waits are not worth a timer: setting one takes about as long.
constexpr uint32_t kShortestUs = 2;

uint32_t cyclesPerUs;
uint32_t cyclesPerTick;

// A wait that ends within a millisecond cuts the timer's period in two: the first part ends the
// wait, the second ends the millisecond, so that the tick grid stays where it was. Cycles of the
// second part while the first runs, otherwise 0.
volatile uint32_t secondPart;

// Cycles of this millisecond that are still to come.
uint32_t cyclesLeft() { return reg(kSystCvr) + secondPart; }

uint32_t phaseOf(uint32_t left) {
  return left >= cyclesPerTick ? 0 : (cyclesPerTick - 1 - left) / cyclesPerUs;
}

#ifdef BENCH_TEST

constexpr uint32_t kTim5Clock = bit(3);   // RCC_APB1ENR
constexpr uint32_t kTim5Halts = bit(3);   // DBGMCU_APB1_FZ
constexpr uint32_t kUpdate = bit(0);      // TIM5_EGR: takes the prescaler, starts at 0
constexpr uint32_t kCounterOn = bit(0);   // TIM5_CR1

#endif

}  // namespace

#ifdef BENCH_TEST

void startMicroseconds() {
  reg(kRccApb1enr) |= kTim5Clock;
  __asm volatile("dsb" ::: "memory");
  // A core that a debugger halts gets no ticks, and loses none.
  if (!simulated()) reg(kDbgmcuApb1Fz) |= kTim5Halts;
  reg(kTim5Psc) = (simulated() ? kQemuTimerMhz : clocks().apb1TimerHz() / kMHz) - 1;
  reg(kTim5Arr) = UINT32_MAX;
  reg(kTim5Egr) = kUpdate;
  reg(kTim5Cr1) = kCounterOn;
}

uint32_t microseconds() { return reg(kTim5Cnt); }

#endif

void startTick() {
#ifdef BENCH_TEST
  restConsole();
#endif
  cyclesPerUs = clocks().hclkHz() / 1000000;
  cyclesPerTick = clocks().hclkHz() / 1000;
  // SHPR3 bits 31 to 28: SysTick's priority. PendSV beside it is not used.
  reg(kShpr3) = kTickPriority << 28;
  reg(kSystRvr) = cyclesPerTick - 1;
  reg(kSystCvr) = 0;
  reg(kSystCsr) = kTickRunning;
}

}  // namespace stm32f4

namespace port {

using namespace stm32f4;

[[noreturn]] void halt() {
  static_cast<void>(irqSave());
  reg(kSystCsr) = 0;
  for (;;) __asm volatile("wfi" ::: "memory");
}

#ifdef BENCH_TEST

void watchTicks() { startMicroseconds(); }

// Of the ticks that come while one waits none is kept: interrupts were masked for too long, or the
// host of an emulated part was busy. Under QEMU's -icount time also passes while the core sleeps,
// so that a simulation cannot be asked.
uint32_t lostMs() {
  const uint32_t behindUs = microseconds() - 1000 * bench::uptimeMs();
  return behindUs > INT32_MAX ? 0 : behindUs / 1000;
}

#endif

uint32_t phaseUs() {
  const uint32_t left = cyclesLeft();
  // Let a tick that is due come before the caller looks at the tick count again.
  __asm volatile("dsb\n isb" ::: "memory");
  return phaseOf(left);
}

uint32_t nowUs() {
  const uint32_t state = irqSave();
  uint32_t ms = bench::uptimeMs();
  uint32_t second = secondPart;
  uint32_t current = reg(kSystCvr);
  if (reg(kIcsr) & kTickPending) {
    // The timer has passed its end and the interrupt waits: read again, on the far side of it.
    current = reg(kSystCvr);
    if (second != 0) {
      second = 0;
    } else {
      ms++;
    }
  }
  irqRestore(state);
  return ms * 1000 + phaseOf(current + second);
}

void sleepUntilPhase(uint32_t us) {
  const uint32_t tick = bench::uptimeMs();
  const uint32_t wantedLeft = cyclesPerTick - us * cyclesPerUs;
  const uint32_t state = irqSave();
  const uint32_t left = reg(kSystCvr);
  const bool due = (reg(kIcsr) & kTickPending) != 0;
  if (!due && secondPart == 0 && left > wantedLeft + kShortestUs * cyclesPerUs) {
    reg(kSystRvr) = left - wantedLeft;
    reg(kSystCvr) = 0;
    // The counter takes the new period at its next clock; only then may the one after be set.
    for (int i = 0; i < 100 && reg(kSystCvr) == 0; i++) {
    }
    secondPart = wantedLeft;
    reg(kSystRvr) = wantedLeft;
    while (secondPart != 0 && bench::uptimeMs() == tick) {
      sleepMasked();
      irqRestore(state);  // the interrupt runs here
      __asm volatile("isb" ::: "memory");
      irqSave();
    }
  }
  irqRestore(state);
}

}  // namespace port

extern "C" void SysTick_Handler() {
  using namespace stm32f4;
  if (secondPart != 0) {
    // The end of a wait, not of a millisecond. The whole period follows the second part.
    secondPart = 0;
    reg(kSystRvr) = cyclesPerTick - 1;
    return;
  }
#ifdef BENCH_TEST
  tickConsole();
#endif
  bench::onTick();
}
