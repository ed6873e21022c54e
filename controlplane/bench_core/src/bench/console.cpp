#include "bench/console.h"

#include "bench/irq.h"
#include "bench/port.h"
#include "bench/ring.h"

namespace bench {
namespace {

Ring<2048> output;
Ring<512> input;

// Moves what the UART takes. Interrupts are masked by the caller.
void drain() {
  while (output.used() > 0) {
    uint32_t room = port::consoleTxRoom();
    if (room == 0) break;
    for (; room > 0 && output.used() > 0; room--) {
      port::consoleTx(static_cast<uint8_t>(output.get()));
    }
  }
  // In a simulator the UART takes everything at once and this never turns the interrupt on.
  port::consoleTxInterrupt(output.used() > 0);
}

void putWaiting(uint8_t byte) {
  for (;;) {
    const IrqLock lock;
    if (output.room() == 0) drain();
    if (output.room() == 0) continue;
    output.put(byte);
    drain();
    return;
  }
}

}  // namespace

void consoleWriteText(uint8_t byte) {
#ifdef BENCH_TEST
  if (byte == kRecordMark) {
    // Both bytes together: a record from the tick must not come between them.
    for (;;) {
      const IrqLock lock;
      drain();
      if (output.room() < 2) continue;
      output.put(byte);
      output.put(byte);
      drain();
      return;
    }
  }
#endif
  putWaiting(byte);
}

size_t consoleTextRoom() { return output.room(); }

void consoleFlush() {
  for (;;) {
    const IrqLock lock;
    drain();
    if (output.used() == 0 && port::consoleTxIdle()) return;
  }
}

int consoleRead() {
  if (input.used() == 0) return -1;
  const IrqLock lock;
  return input.get();
}

int consolePeek() { return input.peek(); }

size_t consoleAvailable() { return input.used(); }

bool consoleReceive(uint8_t byte) {
  const IrqLock lock;
  if (input.room() == 0) return false;
  input.put(byte);
  return true;
}

void onConsoleTxReady() {
  const IrqLock lock;
  drain();
}

#ifdef BENCH_TEST

namespace {
volatile uint32_t droppedRecords;
}

void consoleWriteRecord(const char *text, size_t length) {
  for (;;) {
    const IrqLock lock;
    if (output.room() < length + 2) drain();
    if (output.room() < length + 2) {
      if (!port::inInterrupt()) continue;
      droppedRecords = droppedRecords + 1;
      return;
    }
    output.put(kRecordMark);
    for (size_t i = 0; i < length; i++) output.put(static_cast<uint8_t>(text[i]));
    output.put('\n');
    drain();
    return;
  }
}

uint32_t consoleDroppedRecords() { return droppedRecords; }

void consoleDiscardOutput() {
  const IrqLock lock;
  output.clear();
}

#else

void onConsoleByte(uint8_t byte) { consoleReceive(byte); }

#endif

}  // namespace bench
