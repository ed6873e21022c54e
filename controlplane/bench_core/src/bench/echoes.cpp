#include "bench/echoes.h"

#ifdef BENCH_TEST

#include "Arduino.h"
#include "bench/pins.h"
#include "bench/port.h"
#include "bench/stimulus.h"

namespace bench {
namespace {

struct Echo {
  uint32_t pin;
  uint32_t trigger;
  uint32_t widthUs;   // of the next answer
  uint32_t raisedUs;  // when the trigger went high
  uint32_t beginUs;   // when the present pulse begins, and how long it lasts
  uint32_t lengthUs;
  bool triggerHigh;
  bool pulse;  // there is one, to come or on the pin
  bool read;   // the sketch has asked for the pin's level since the trigger
};

constexpr uint32_t kEchoes = 8;
// HC-SR04 data sheet: a trigger of at least 10 us; eight cycles of 40 kHz go out before the echo.
constexpr uint32_t kTriggerUs = 10;
constexpr uint32_t kBurstUs = 200;

Echo echoes[kEchoes];
uint32_t echoCount;

Echo *echoOn(uint32_t pin) {
  for (uint32_t i = 0; i < echoCount; i++) {
    if (echoes[i].pin == pin) return &echoes[i];
  }
  return nullptr;
}

uint32_t lastsUs(const Echo &echo) { return kBurstUs + echo.lengthUs; }

// Since the trigger of the present pulse; a pulse that is over is forgotten, so that a clock that has
// gone round does not bring it back.
uint32_t sinceTrigger(Echo &echo) {
  const uint32_t since = port::nowUs() - (echo.beginUs - kBurstUs);
  if (since >= lastsUs(echo)) echo.pulse = false;
  return since;
}

// Whole milliseconds are slept through: a processor that spins costs a simulator most of its time.
void waitSince(uint32_t start, uint32_t us) {
  for (;;) {
    const uint32_t passed = port::nowUs() - start;
    if (passed >= us) return;
    const uint32_t left = us - passed;
    if (left >= 2000 && port::canSleep()) delay(left / 1000 - 1);
  }
}

// Where a host's clock drives the run, it may take any time between two instructions of the sketch.
bool pacedByHost() { return !stimulusInjects() || stimulusIsLive(); }

}  // namespace

bool echoInject(uint32_t pin, uint32_t trigger, uint32_t widthUs) {
  Echo *echo = echoOn(pin);
  if (echo == nullptr || echo->trigger != trigger) {
    if (echo == nullptr && echoCount == kEchoes) return false;
    if (pin == trigger || !pinEchoes(pin, trigger)) return false;
    Echo fresh = {};
    fresh.pin = pin;
    fresh.trigger = trigger;
    if (echo == nullptr) echo = &echoes[echoCount++];
    *echo = fresh;
  }
  echo->widthUs = widthUs;
  return true;
}

void echoTrigger(uint32_t trigger, bool high) {
  const uint32_t now = port::nowUs();
  for (uint32_t i = 0; i < echoCount; i++) {
    Echo &echo = echoes[i];
    if (echo.trigger != trigger || echo.triggerHigh == high) continue;
    echo.triggerHigh = high;
    if (high) {
      echo.raisedUs = now;
      continue;
    }
    const bool busy = echo.pulse && sinceTrigger(echo) < lastsUs(echo);
    if (busy || now - echo.raisedUs < kTriggerUs) continue;
    echo.beginUs = now + kBurstUs;
    echo.lengthUs = echo.widthUs;
    echo.pulse = echo.widthUs > 0;
    echo.read = false;
  }
}

bool echoLevel(uint32_t pin) {
  Echo *echo = echoOn(pin);
  if (echo == nullptr || !echo->pulse) return false;
  echo->read = true;
  const uint32_t since = sinceTrigger(*echo);
  return echo->pulse && since >= kBurstUs;
}

uint32_t echoPulse(uint32_t pin, uint32_t timeoutUs) {
  const uint32_t start = port::nowUs();
  Echo *echo = echoOn(pin);
  if (echo != nullptr && echo->pulse) {
    const bool late = pacedByHost() && !echo->read;
    const uint32_t since = sinceTrigger(*echo);
    // A pulse that has begun is not the one that pulseIn() waits for.
    if (since < kBurstUs || late) {
      const uint32_t left = since < kBurstUs ? lastsUs(*echo) - since : echo->lengthUs;
      if (left < timeoutUs) {
        waitSince(start, left);
        echo->pulse = false;
        return echo->lengthUs;
      }
    }
  }
  waitSince(start, timeoutUs);
  return 0;
}

}  // namespace bench

#endif
