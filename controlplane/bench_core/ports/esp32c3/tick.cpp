// SYSTIMER: target 0 is the 1 ms tick, target 1 ends waits that lie between two ticks.
#include "bench/clock.h"
#include "bench/port.h"
#include "port_state.h"
#include "registers.h"

namespace esp32c3 {
namespace {

constexpr uint32_t kTickBit = bit(0);
constexpr uint32_t kAlarmBit = bit(1);
// SYSTIMER_CONF: registers clocked, unit 0 counts, targets 0 and 1 compare. QEMU starts with all of
// them clear; on silicon unit 0 counts from reset.
constexpr uint32_t kCounting = bit(31) | bit(30);
constexpr uint32_t kTickOn = bit(24);
constexpr uint32_t kAlarmOn = bit(23);
constexpr uint32_t kPeriodic = bit(30);
// SYSTIMER_UNIT0_OP
constexpr uint32_t kTakeSnapshot = bit(30);
constexpr uint32_t kSnapshotValid = bit(29);
constexpr uint32_t kPatience = 1000;

// Shorter waits are not worth a timer: setting one takes about as long.
constexpr uint32_t kShortestUs = 2;

// The counter's low half at the last tick.
volatile uint32_t tickStart;
volatile bool alarmSet;

void takeSnapshot() {
  reg(kSystimerUnit0Op) = kTakeSnapshot;
  for (uint32_t i = 0; i < kPatience && !(reg(kSystimerUnit0Op) & kSnapshotValid); i++) {
  }
}

uint32_t counterLow() {
  takeSnapshot();
  return reg(kSystimerUnit0Lo);
}

uint32_t phaseOf(uint32_t since) {
  const uint32_t us = since / kSystimerTicksPerUs;
  return us > 999 ? 999 : us;
}

bool tickPending() { return (reg(kSystimerIntRaw) & kTickBit) != 0; }

}  // namespace

void startTick() {
  reg(kSystimerConf) = kCounting;
  reg(kSystimerIntEnable) = 0;
  reg(kSystimerIntClear) = kTickBit | kAlarmBit;
  reg(kSystimerTarget0Conf) = kPeriodic | kSystimerTicksPerMs;
  reg(kSystimerTarget1Conf) = 0;
  tickStart = counterLow();
  reg(kSystimerComp0Load) = 1;
  reg(kSystimerConf) = kCounting | kTickOn;
  enableInterrupt(kSourceTick, kLineTick, kPriorityTick);
  enableInterrupt(kSourceAlarm, kLineAlarm, kPriorityTick);
  reg(kSystimerIntEnable) = kTickBit | kAlarmBit;
}

void onTickInterrupt() {
  reg(kSystimerIntClear) = kTickBit;
  // Interrupts that were masked for more than a millisecond have kept ticks waiting: all that are
  // due by now happen. One that only just falls short is the one that called.
  const uint32_t now = counterLow() + kSystimerTicksPerUs;
  while (now - tickStart >= kSystimerTicksPerMs) {
    tickStart = tickStart + kSystimerTicksPerMs;
    bench::onTick();
  }
}

void onAlarmInterrupt() {
  reg(kSystimerConf) = kCounting | kTickOn;
  reg(kSystimerIntClear) = kAlarmBit;
  alarmSet = false;
}

}  // namespace esp32c3

namespace port {

using namespace esp32c3;

#ifdef BENCH_TEST
// Ticks that are late are counted all the same: none is lost.
void watchTicks() {}
uint32_t lostMs() { return 0; }
#endif

uint32_t phaseUs() { return phaseOf(counterLow() - tickStart); }

uint32_t nowUs() {
  // A tick that waits is in the difference already: it grows until the tick is counted.
  const uint32_t state = irqSave();
  const uint32_t us = bench::uptimeMs() * 1000 + (counterLow() - tickStart) / kSystimerTicksPerUs;
  irqRestore(state);
  return us;
}

void sleepUntilPhase(uint32_t us) {
  const uint32_t tick = bench::uptimeMs();
  const uint32_t wanted = us * kSystimerTicksPerUs;
  const uint32_t state = irqSave();
  const uint32_t low = counterLow();
  const uint32_t since = low - tickStart;
  if (!tickPending() && since + kShortestUs * kSystimerTicksPerUs < wanted) {
    const uint32_t targetLow = tickStart + wanted;
    const uint32_t high = reg(kSystimerUnit0Hi) + (targetLow < low ? 1 : 0);
    reg(kSystimerTarget1Hi) = high;
    reg(kSystimerTarget1Lo) = targetLow;
    reg(kSystimerComp1Load) = 1;
    alarmSet = true;
    reg(kSystimerConf) = kCounting | kTickOn | kAlarmOn;
    while (alarmSet && bench::uptimeMs() == tick) sleepMasked();
    reg(kSystimerConf) = kCounting | kTickOn;
    alarmSet = false;
  }
  irqRestore(state);
}

}  // namespace port
