// From the start code to loop().
#include "Arduino.h"
#include "bench/attachment.h"
#include "bench/console.h"
#include "bench/port.h"
#include "bench/records.h"
#include "bench/runtime.h"
#include "bench/stimulus.h"

namespace {

// The console's rate in a test build, whatever a sketch asks for.
#ifdef BENCH_TEST
constexpr uint32_t kConsoleBaud = bench::kDefaultBaud;
#else
constexpr uint32_t kConsoleBaud = 0;
#endif

}  // namespace

int main() {
  port::init(kConsoleBaud);
#ifdef BENCH_TEST
  // Before time starts: how long a table takes to check must not show.
  bench::recordBoot(bench::stimulusOpen());
  bench::stimulusStart();
  // Whole before the sketch can do anything, such as write to the UART itself or fault.
  bench::consoleFlush();
  if (bench::stimulusIsLive()) port::watchTicks();
#endif
  port::start();
  // Global objects come to life here, not in the start code: they may print and ask for the time.
  bench::runConstructors();
  setup();
#ifdef BENCH_TEST
  bench::recordReady();
#endif
  for (;;) {
    loop();
    if (bench::attachment != nullptr) bench::attachment->afterLoop();
    if (serialEvent != nullptr && Serial.available() > 0) serialEvent();
  }
}

namespace bench {

void onFault(const Fault &fault) {
#ifdef BENCH_TEST
  recordFault(fault);
  Serial.flush();
#else
  static_cast<void>(fault);
#endif
  port::halt();
}

}  // namespace bench
