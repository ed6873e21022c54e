// Test records: `BL <uptime_ms> <TYPE>[ <name>][ key=value ...]`. Only test builds have them.
#pragma once

#ifdef BENCH_TEST

#include <stddef.h>
#include <stdint.h>

#include "bench/port.h"

namespace bench {

// One record under construction, stamped with the time of its making. Text that is not plain
// printable ASCII is replaced by '_', so that nothing a sketch passes can end or forge a record.
class Record {
 public:
  explicit Record(const char *type);
  Record &name(const char *text);
  Record &pin(uint32_t pin);
  Record &number(const char *key, unsigned long value);
  Record &number(const char *key, long value);
  Record &real(const char *key, double value, unsigned decimals);
  Record &hex(const char *key, uint32_t value);
  // A word: blanks become '_'.
  Record &word(const char *key, const char *text);
  // Runs to the end of the record, blanks stay.
  Record &text(const char *key, const char *text);
  void send();

 private:
  void put(char c);
  void putRaw(const char *text);
  void putClean(const char *text, char lowest);
  void putKey(const char *key);

  char text_[160];
  size_t length_ = 0;
};

// Where inputs come from and which run this is, for the BOOT record.
struct Run {
  bool injected;
  bool hasNonce;
  uint32_t nonce;
};

void recordBoot(const Run &run);
void recordReady();
// Just before the first byte of a line of user text.
void recordLineStart();
void recordEnd();
void recordFault(const Fault &fault);
void recordError(const char *code);
void recordPinError(const char *code, uint32_t pin);

}  // namespace bench

#endif
