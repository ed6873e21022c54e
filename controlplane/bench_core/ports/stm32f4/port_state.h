// What the files of this port share.
#pragma once

#include <stdint.h>

#include "bench/port.h"
#include "clock_plan.hpp"

namespace stm32f4 {

// Brings the part to full speed from the board's own clock, else from HSI, or leaves it on HSI when
// a step does not answer. Returns the plan that is in force. In a simulator without a clock
// controller nothing is waited for.
const ClockPlan &startClocks();
// RCC_CR is never 0 on silicon (its reset value is 0x83, section 7.3.1); QEMU's STM32F405 has no
// clock controller and reads 0.
bool simulated();
const ClockPlan &clocks();

void startTick();
void startConsole();
void enableFaults();
// The registers that a fault record tells.
inline bench::Fault faultOf(const char *kind, uint32_t pc, uint32_t lr, uint32_t cfsr, uint32_t hfsr,
                            uint32_t address) {
  return {kind, {{"pc", pc}, {"lr", lr}, {"cfsr", cfsr}, {"hfsr", hfsr}, {"addr", address}}};
}
void enableInterrupt(uint32_t number, uint32_t priority);
// Turns on the console's USART.
void enableConsoleClock();
#ifdef BENCH_TEST
// Starts TIM5 at 0. It counts microseconds whether or not interrupts are masked.
void startMicroseconds();
uint32_t microseconds();
// Called in each tick: sends on what waits for the line of a simulator.
void tickConsole();
// In a simulator the first millisecond begins with a line that carries nothing.
void restConsole();
#endif
// AF7 for the console, whole registers from the shadow (see gpio.cpp).
void pinsToConsole();

// How fast QEMU's STM32F405 runs its timers, whatever the clocks are.
constexpr uint32_t kQemuTimerMhz = 1000;

// NVIC priorities, 0 (most urgent) to 15. Input must not be lost while the tick prints.
constexpr uint32_t kConsolePriority = 4;
constexpr uint32_t kEdgePriority = 8;
constexpr uint32_t kTickPriority = 12;

// Interrupt numbers, RM0090 table 61.
constexpr uint32_t kIrqExti0 = 6;
constexpr uint32_t kIrqExti9_5 = 23;
constexpr uint32_t kIrqUsart1 = 37;
constexpr uint32_t kIrqUsart2 = 38;
constexpr uint32_t kIrqExti15_10 = 40;

}  // namespace stm32f4
