// What the files of this port share.
#pragma once

#include <stdint.h>

namespace esp32c3 {

// Turns off what the ROM left running against a hanging boot, and brings the processor to the
// crystal's full rate.
void startClocks();
void startTick();
void startConsole();
void guardStack();
// Routes an interrupt source to a line of the processor.
void enableInterrupt(uint32_t source, uint32_t line, uint32_t priority);

// From the trap handler.
void onTickInterrupt();
void onAlarmInterrupt();
void onConsoleInterrupt();
void onEdgeInterrupt();
void reportException(uint32_t cause, uint32_t pc, uint32_t returnAddress);

// True while the trap handler serves an interrupt.
extern volatile bool servingInterrupt;

// Interrupt sources (interrupts.h).
constexpr uint32_t kSourceGpio = 16;
constexpr uint32_t kSourceUart0 = 21;
constexpr uint32_t kSourceTick = 37;   // SYSTIMER target 0
constexpr uint32_t kSourceAlarm = 38;  // SYSTIMER target 1

// Lines of the processor. Interrupts do not nest; among those that wait, the higher priority and
// then the lower line comes first.
constexpr uint32_t kLineConsole = 5;
constexpr uint32_t kLineEdge = 6;
constexpr uint32_t kLineTick = 7;
constexpr uint32_t kLineAlarm = 8;
constexpr uint32_t kPriorityConsole = 4;
constexpr uint32_t kPriorityEdge = 3;
constexpr uint32_t kPriorityTick = 2;
constexpr uint32_t kPriorityThreshold = 1;

// The crystal: 40 MHz on every module (ESP32-C3 data sheet: the only frequency it supports; from
// the data sheet, not checked against it).
constexpr uint32_t kXtalHz = 40000000;
constexpr uint32_t kSystimerTicksPerUs = 16;
constexpr uint32_t kSystimerTicksPerMs = 1000 * kSystimerTicksPerUs;

}  // namespace esp32c3
