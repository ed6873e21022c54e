#include "bench/records.h"

#include "Bench.h"

#ifdef BENCH_TEST

#include "bench/clock.h"
#include "bench/console.h"
#include "bench/format.h"
#include "bench/identity.h"
#include "bench/stimulus.h"

namespace bench {
namespace {

constexpr char kLastPrintable = '~';

}  // namespace

Record::Record(const char *type) {
  char number[kNumberText];
  formatInteger(number, uptimeMs(), false, 10);
  putRaw("BL ");
  putRaw(number);
  put(' ');
  putRaw(type);
}

void Record::put(char c) {
  if (length_ < sizeof text_) text_[length_++] = c;
}

void Record::putRaw(const char *text) {
  while (*text != '\0') put(*text++);
}

void Record::putClean(const char *text, char lowest) {
  if (text == nullptr) return;
  for (; *text != '\0'; text++) put(*text >= lowest && *text <= kLastPrintable ? *text : '_');
}

void Record::putKey(const char *key) {
  put(' ');
  putRaw(key);
  put('=');
}

Record &Record::name(const char *text) {
  put(' ');
  putClean(text, '!');
  return *this;
}

Record &Record::pin(uint32_t pin) {
  char name[port::kPinNameText];
  port::pinName(pin, name);
  put(' ');
  putRaw(name);
  return *this;
}

Record &Record::number(const char *key, unsigned long value) {
  char number[kNumberText];
  formatInteger(number, value, false, 10);
  putKey(key);
  putRaw(number);
  return *this;
}

Record &Record::number(const char *key, long value) {
  char number[kNumberText];
  formatSigned(number, value, 10, 32);
  putKey(key);
  putRaw(number);
  return *this;
}

Record &Record::real(const char *key, double value, unsigned decimals) {
  char number[kNumberText];
  formatReal(number, value, decimals);
  putKey(key);
  putRaw(number);
  return *this;
}

Record &Record::hex(const char *key, uint32_t value) {
  putKey(key);
  for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[(value >> shift) & 0xf]);
  return *this;
}

Record &Record::word(const char *key, const char *text) {
  putKey(key);
  putClean(text, '!');
  return *this;
}

Record &Record::text(const char *key, const char *text) {
  putKey(key);
  putClean(text, ' ');
  return *this;
}

void Record::send() { consoleWriteRecord(text_, length_); }

void recordBoot(const Run &run) {
  Record boot("BOOT");
  boot.number("core", 1UL).word("part", port::kPartName);
  boot.word("build", benchBuildId).word("design", benchDesignHash);
  if (run.hasNonce) {
    boot.hex("nonce", run.nonce);
  } else {
    boot.word("nonce", "none");
  }
  boot.word("sources", run.injected ? "injected" : "real").word("reset", port::resetCause());
  boot.word("clk", port::clockName()).send();
}

void recordReady() { Record("READY").send(); }

void recordLineStart() { Record("OUT").name("S0").send(); }

void recordEnd() {
  Record record("END");
  record.number("dropped", static_cast<unsigned long>(consoleDroppedRecords()));
  const uint32_t lost = stimulusIsLive() ? port::lostMs() : 0;
  if (lost != 0) record.number("lost", static_cast<unsigned long>(lost));
  record.send();
}

void recordFault(const Fault &fault) {
  consoleDiscardOutput();
  Record record("FAULT");
  record.name(fault.kind);
  for (const FaultWord &word : fault.words) {
    if (word.key == nullptr) break;
    record.hex(word.key, word.value);
  }
  record.send();
}

void recordError(const char *code) { Record("ERR").name(code).send(); }

void recordPinError(const char *code, uint32_t pin) {
  Record("ERR").name(code).number("pin", static_cast<unsigned long>(pin)).send();
}

}  // namespace bench

void Bench::val(const char *name, long value) {
  bench::Record("VAL").name(name).number("v", value).send();
}

void Bench::val(const char *name, unsigned long value) {
  bench::Record("VAL").name(name).number("v", value).send();
}

void Bench::val(const char *name, double value, int decimals) {
  const unsigned places = decimals < 0 ? 2U : static_cast<unsigned>(decimals);
  bench::Record("VAL").name(name).real("v", value, places).send();
}

void Bench::evt(const char *name, const char *text) {
  bench::Record record("EVT");
  record.name(name);
  if (text != nullptr) record.text("t", text);
  record.send();
}

void Bench::state(const char *name, const char *word) {
  bench::Record("STATE").name(name).word("v", word).send();
}

#endif

Bench BL;
