#include "HardwareSerial.h"

#include "bench/console.h"
#include "bench/port.h"
#include "bench/records.h"

HardwareSerial Serial;

#ifdef BENCH_TEST
namespace {
bool atLineStart = true;
}
#endif

void HardwareSerial::begin(unsigned long baud, uint8_t) {
  begun_ = true;
#ifdef BENCH_TEST
  static_cast<void>(baud);
#else
  bench::consoleBegin(static_cast<uint32_t>(baud));
#endif
}

void HardwareSerial::end() {
  flush();
  begun_ = false;
}

int HardwareSerial::available() { return static_cast<int>(bench::consoleAvailable()); }
int HardwareSerial::read() { return bench::consoleRead(); }
int HardwareSerial::peek() { return bench::consolePeek(); }
int HardwareSerial::availableForWrite() { return static_cast<int>(bench::consoleTextRoom()); }
void HardwareSerial::flush() { bench::consoleFlush(); }

size_t HardwareSerial::write(uint8_t byte) {
  if (!begun_) {
#ifdef BENCH_TEST
    static bool told;
    if (!told) bench::recordError("serial-not-begun");
    told = true;
#endif
    setWriteError();
    return 0;
  }
#ifdef BENCH_TEST
  if (atLineStart) bench::recordLineStart();
  atLineStart = byte == '\n';
#endif
  bench::consoleWriteText(byte);
  return 1;
}
