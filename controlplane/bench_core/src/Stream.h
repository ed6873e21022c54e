// Text input: reading with a timeout, finding and parsing.
#pragma once

#include "Print.h"

enum LookaheadMode {
  SKIP_ALL,         // skip anything until a number starts
  SKIP_NONE,        // the number must start at once
  SKIP_WHITESPACE,  // only blanks, tabs and line ends are skipped
};

class Stream : public Print {
 public:
  virtual int available() = 0;
  virtual int read() = 0;
  virtual int peek() = 0;

  // How long the reading functions wait for each next byte; 1000 ms unless set.
  void setTimeout(unsigned long ms) { timeoutMs_ = ms; }
  unsigned long getTimeout() const { return timeoutMs_; }

  bool find(const char *target) { return findUntil(target, nullptr); }
  bool find(const char *target, size_t length) { return search(target, length, nullptr, 0); }
  bool find(char target) { return search(&target, 1, nullptr, 0); }
  bool findUntil(const char *target, const char *terminator);

  // 0 when no number comes in time. `ignore` is a character allowed between digits.
  long parseInt(LookaheadMode lookahead = SKIP_ALL, char ignore = kNoIgnore);
  float parseFloat(LookaheadMode lookahead = SKIP_ALL, char ignore = kNoIgnore);

  size_t readBytes(char *buffer, size_t size);
  size_t readBytes(uint8_t *buffer, size_t size) {
    return readBytes(reinterpret_cast<char *>(buffer), size);
  }
  size_t readBytesUntil(char terminator, char *buffer, size_t size);
  size_t readBytesUntil(char terminator, uint8_t *buffer, size_t size) {
    return readBytesUntil(terminator, reinterpret_cast<char *>(buffer), size);
  }
  String readString();
  String readStringUntil(char terminator);

 protected:
  // The next byte, or -1 when none comes in time.
  int timedRead() { return waitForByte(false); }
  int timedPeek() { return waitForByte(true); }

 private:
  static constexpr char kNoIgnore = '\x01';

  int waitForByte(bool leaveIt);
  int skipToNumber(LookaheadMode lookahead, bool real);
  bool search(const char *target, size_t length, const char *terminator, size_t endLength);

  unsigned long timeoutMs_ = 1000;
};
