// Time: the tick, millis() and the waiting functions.
#include "Arduino.h"
#include "bench/clock.h"
#include "bench/irq.h"
#include "bench/pins.h"
#include "bench/port.h"
#include "bench/records.h"
#include "bench/stimulus.h"

namespace bench {

volatile uint32_t tickCount;

namespace {

// A phase this close to the next tick is taken as that tick; the timer cannot be set so short.
constexpr uint32_t kNearTickUs = 990;

void sleepTicks(uint32_t start, uint32_t ticks) {
  while (uptimeMs() - start < ticks) {
    const IrqLock lock;
    // Looked at again with interrupts masked: the last tick may have come since.
    if (uptimeMs() - start < ticks) port::sleepMasked();
  }
}

}  // namespace

void onTick() {
  tickCount = tickCount + 1;
#ifdef BENCH_TEST
  stimulusTick(tickCount);
  pinsTick(tickCount);
#endif
}

}  // namespace bench

unsigned long millis() { return bench::uptimeMs(); }

unsigned long micros() { return port::nowUs(); }

void delay(unsigned long ms) {
  if (ms == 0) return;
  if (!port::canSleep()) {
    // The tick cannot come here, so the wait would never end.
#ifdef BENCH_TEST
    static bool told;
    if (!told) bench::recordError("delay-without-interrupts");
    told = true;
#endif
    return;
  }
  uint32_t start;
  uint32_t phase;
  do {
    start = bench::uptimeMs();
    phase = port::phaseUs();
  } while (start != bench::uptimeMs());
  uint32_t ticks = static_cast<uint32_t>(ms);
  if (phase > bench::kNearTickUs && ticks != UINT32_MAX) {
    ticks++;
    phase = 0;
  }
  bench::sleepTicks(start, ticks);
  if (phase > port::kOnGridUs) port::sleepUntilPhase(phase);
}

void delayMicroseconds(unsigned int us) {
  uint32_t last = port::nowUs();
  for (uint32_t left = us; left > 0;) {
    const uint32_t now = port::nowUs();
    uint32_t step = now - last;
    // With interrupts off no tick is counted, and a port may count the same millisecond again.
    if (step > INT32_MAX) step += 1000;
    left -= step < left ? step : left;
    last = now;
  }
}

void yield() {}
void noInterrupts() { port::irqSave(); }
void interrupts() { port::irqEnable(); }
