#include "bench/console.h"

#include "bench/attachment.h"
#include "bench/irq.h"
#include "bench/port.h"
#include "bench/ring.h"
#include "bench/stimulus.h"

namespace bench {

const Attachment *attachment;

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

// Whether records share the wire with text. In a release build only an attachment makes them.
bool sharesWire() {
#ifdef BENCH_TEST
  return true;
#else
  return attachment != nullptr;
#endif
}

enum class Receive : uint8_t { kUser, kAfterMark, kHostLine };
Receive receive = Receive::kUser;
bool toAttachment;

void hostLineByte(uint8_t byte) {
#ifdef BENCH_TEST
  // In a closed world only the table speaks for the host.
  if (toAttachment && stimulusInjects()) return;
#endif
  if (toAttachment) {
    attachment->hostByte(byte);
    return;
  }
#ifdef BENCH_TEST
  // A line that is cut short by the next one ends there, as one that nobody understands.
  stimulusCommandByte(byte == kRecordMark ? '\n' : byte);
#endif
}

}  // namespace

void consoleWriteText(uint8_t byte) {
  if (byte == kRecordMark && sharesWire()) {
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

// Sorts input into user bytes and lines of the host. A doubled mark is one user byte.
void onConsoleByte(uint8_t byte) {
  switch (receive) {
    case Receive::kUser:
      if (byte == kRecordMark && sharesWire()) {
        receive = Receive::kAfterMark;
      } else {
        consoleReceive(byte);
      }
      return;
    case Receive::kAfterMark:
      if (byte == kRecordMark) {
        consoleReceive(byte);
        receive = Receive::kUser;
        return;
      }
      toAttachment = byte == kAttachmentLine && attachment != nullptr;
      receive = Receive::kHostLine;
      break;
    case Receive::kHostLine:
      break;
  }
  if (byte == '\n') receive = Receive::kUser;
  if (byte == kRecordMark) receive = Receive::kAfterMark;
  hostLineByte(byte);
}

namespace {
volatile uint32_t droppedRecords;
}

bool consoleWriteRecord(const char *text, size_t length) {
  for (;;) {
    const IrqLock lock;
    if (output.room() < length + 2) drain();
    if (output.room() < length + 2) {
      if (!port::inInterrupt()) continue;
      droppedRecords = droppedRecords + 1;
      return false;
    }
    output.put(kRecordMark);
    for (size_t i = 0; i < length; i++) output.put(static_cast<uint8_t>(text[i]));
    output.put('\n');
    drain();
    return true;
  }
}

#ifdef BENCH_TEST

uint32_t consoleDroppedRecords() { return droppedRecords; }

void consoleDiscardOutput() {
  const IrqLock lock;
  output.clear();
}

#else

namespace {
bool begun;
}

void consoleBegin(uint32_t baud) {
  begun = true;
  port::consoleBegin(baud);
}

void consoleEnsureBegun() {
  if (!begun) consoleBegin(kDefaultBaud);
}

#endif

}  // namespace bench
