#include "bench/stimulus.h"

#ifdef BENCH_TEST

#include <stdlib.h>
#include <string.h>

#include "bench/attachment.h"
#include "bench/clock.h"
#include "bench/console.h"
#include "bench/crc.h"
#include "bench/echoes.h"
#include "bench/pins.h"
#include "bench/port.h"
#include "bench/ring.h"

namespace bench {
namespace {

struct Header {
  uint32_t magic;
  uint16_t version;
  uint16_t count;
  uint32_t nonce;
  uint32_t flags;
  uint32_t crc;  // over the 16 bytes before it and all rows
};
static_assert(sizeof(Header) == 20, "the table is read in place");

struct Row {
  uint32_t ms;
  uint16_t signal;
  uint16_t count;
  uint32_t value;
};
static_assert(sizeof(Row) == 12, "the table is read in place");

constexpr uint32_t kMagic = 0x314c5442;  // "BTL1"
constexpr uint16_t kVersion = 1;
constexpr uint32_t kInjectedFlag = 1U << 0;
constexpr uint32_t kLiveFlag = 1U << 1;
constexpr uint32_t kMaxRows = (port::kStimulusTableSize - sizeof(Header)) / sizeof(Row);

constexpr uint32_t kDigital = 0x0000;
constexpr uint32_t kAnalog = 0x0100;
constexpr uint32_t kConsole = 0x0300;
constexpr uint32_t kEnd = 0x0400;
constexpr uint32_t kEcho = 0x0500;

const Row *rows;
uint32_t rowCount;
uint32_t nextRow;
const char *problem;
bool injected;
bool live;

void reportSignal(uint32_t signal) {
  Record("ERR").name("bad-signal").number("signal", static_cast<unsigned long>(signal)).send();
}

constexpr uint32_t kUserPort = 0;
constexpr uint32_t kHostPort = 1;

void applyConsole(uint32_t port, uint32_t count, uint32_t value) {
  const bool known = port == kUserPort || (port == kHostPort && attachment != nullptr);
  if (!known || count > 4) {
    reportSignal(kConsole + port);
    return;
  }
  for (; count > 0; count--, value >>= 8) {
    const uint8_t byte = static_cast<uint8_t>(value);
    if (port == kHostPort) {
      attachment->hostByte(byte);
    } else if (!consoleReceive(byte)) {
      recordError("rx-overrun");
    }
  }
}

// The sketch stops with its run: nothing that it does afterwards could be judged, and a pin must
// not go on moving under a stimulus that is over.
[[noreturn]] void endRun() {
  consoleFlush();  // END itself must never be what does not fit
  pinsFinish();
  recordEnd();
  consoleFlush();
  port::halt();
}

void apply(const Row &row) {
  const uint32_t number = row.signal & 0xffU;
  switch (row.signal & 0xff00U) {
    case kDigital:
      if (!pinInjectLevel(number, row.value != 0)) reportSignal(row.signal);
      break;
    case kAnalog:
      if (!pinInjectAnalog(number, row.value)) reportSignal(row.signal);
      break;
    case kConsole:
      applyConsole(number, row.count, row.value);
      break;
    case kEnd:
      endRun();
    case kEcho:
      if (!echoInject(number, row.count, row.value)) reportSignal(row.signal);
      break;
    default:
      reportSignal(row.signal);
  }
}

void applyDue(uint32_t now) {
  while (nextRow < rowCount && rows[nextRow].ms <= now) apply(rows[nextRow++]);
}

// ---- live commands: 0x1E "set PA1 2048" or "echo PA1 PA2 1160" line end ----

constexpr char kLineEnd = '\n';

Ring<128> commandBytes;
char commandLine[32];
size_t commandLength;

// A run by table must not depend on when a host happened to write.
bool refused() {
  if (injected) recordError("command-refused");
  return injected;
}

void recordCommand(const char *command, uint32_t pin, unsigned long value) {
  char name[port::kPinNameText];
  port::pinName(pin, name);
  Record("CMD").name(command).number(name, value).send();
}

// `set <pin> <value>`: 0 and 1 are levels, larger values are 12-bit counts; a pin has both sides,
// and the sketch reads the one that it wants.
void runSet(const char *line) {
  const char *rest = line;
  const uint32_t pin = port::pinNamed(line, &rest);
  if (pin == port::kPinCount || *rest != ' ') {
    recordError("bad-command");
    return;
  }
  if (refused()) return;
  const unsigned long value = strtoul(rest + 1, nullptr, 10);
  if (!pinInjectAnalog(pin, static_cast<uint32_t>(value))) {
    recordPinError("bad-pin", pin);
    return;
  }
  recordCommand("set", pin, value);
  pinInjectLevel(pin, value == 1 || value > kAdcFullScale / 2);
}

// `echo <pin> <trigger> <us>`: how each trigger is answered; 0 is by nothing.
void runEcho(const char *line) {
  const char *rest = line;
  const uint32_t pin = port::pinNamed(line, &rest);
  const uint32_t trigger = *rest == ' ' ? port::pinNamed(rest + 1, &rest) : port::kPinCount;
  if (pin == port::kPinCount || trigger == port::kPinCount || *rest != ' ') {
    recordError("bad-command");
    return;
  }
  if (refused()) return;
  const unsigned long widthUs = strtoul(rest + 1, nullptr, 10);
  if (!echoInject(pin, trigger, static_cast<uint32_t>(widthUs))) {
    recordPinError("bad-pin", pin);
    return;
  }
  recordCommand("echo", pin, widthUs);
}

void runCommand(const char *line) {
  if (strncmp(line, "set ", 4) == 0) {
    runSet(line + 4);
  } else if (strncmp(line, "echo ", 5) == 0) {
    runEcho(line + 5);
  } else {
    recordError("bad-command");
  }
}

void runCommands() {
  for (int c = commandBytes.get(); c >= 0; c = commandBytes.get()) {
    if (c == kLineEnd) {
      commandLine[commandLength] = '\0';
      commandLength = 0;
      runCommand(commandLine);
    } else if (c != '\r' && commandLength < sizeof commandLine - 1) {
      commandLine[commandLength++] = static_cast<char>(c);
    }
  }
}

}  // namespace

bool stimulusInjects() { return injected; }

bool stimulusIsLive() { return live; }

void stimulusCommandByte(uint8_t byte) {
  // The last place is kept for line ends: a command may be cut short, never run into the next.
  if (commandBytes.room() > (byte == kLineEnd ? 0U : 8U)) commandBytes.put(byte);
}

Run stimulusOpen() {
  const Run real = {false, false, 0};
  const uint8_t *bytes = port::stimulusTable();
  Header header;
  memcpy(&header, bytes, sizeof header);
  // Erased flash, or a simulator's empty memory: nobody asked for a table.
  if (header.magic == 0xffffffffU || header.magic == 0) return real;
  if (header.magic != kMagic) {
    problem = "table-magic";
    return real;
  }
  if (header.version != kVersion) {
    problem = "table-version";
    return real;
  }
  if (header.count > kMaxRows) {
    problem = "table-size";
    return real;
  }
  uint32_t crc = crcUpdate(~0U, bytes, sizeof header - sizeof header.crc);
  crc = crcUpdate(crc, bytes + sizeof header, header.count * sizeof(Row));
  if (~crc != header.crc) {
    problem = "table-crc";
    return real;
  }
  rows = reinterpret_cast<const Row *>(bytes + sizeof header);
  rowCount = header.count;
  injected = (header.flags & kInjectedFlag) != 0;
  if (injected) pinsCloseWorld();
  live = (header.flags & kLiveFlag) != 0;
  return {injected, true, header.nonce};
}

void stimulusStart() {
  if (problem != nullptr) recordError(problem);
  const uint32_t state = port::irqSave();
  applyDue(0);
  port::irqRestore(state);
}

void stimulusTick(uint32_t now) {
  applyDue(now);
  if (commandBytes.used() > 0) runCommands();
}

}  // namespace bench

#endif
