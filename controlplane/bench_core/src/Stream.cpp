#include "Stream.h"

#include <string.h>

#include "Arduino.h"

namespace {

// Follows one byte stream for one text: counts how much of it the last bytes match.
class Matcher {
 public:
  Matcher(const char *text, size_t length) : text_(text), length_(length) {}

  // True when `c` completes the text.
  bool feed(char c) {
    if (length_ == 0) return false;
    while (matched_ > 0 && c != text_[matched_]) matched_ = longestBorder(matched_);
    if (c == text_[matched_]) matched_++;
    if (matched_ < length_) return false;
    matched_ = 0;
    return true;
  }

 private:
  // Length of the longest proper start of the text that is also the end of its first `n` bytes.
  size_t longestBorder(size_t n) const {
    size_t border = n - 1;
    while (border > 0 && memcmp(text_, text_ + n - border, border) != 0) border--;
    return border;
  }

  const char *text_;
  size_t length_;
  size_t matched_ = 0;
};

bool isDecimal(int c) { return c >= '0' && c <= '9'; }
bool isBlank(int c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

int Stream::waitForByte(bool leaveIt) {
  const unsigned long start = millis();
  do {
    const int c = leaveIt ? peek() : read();
    if (c >= 0) return c;
    yield();
  } while (millis() - start < timeoutMs_);
  return -1;
}

bool Stream::findUntil(const char *target, const char *terminator) {
  return search(target, strlen(target), terminator, terminator ? strlen(terminator) : 0);
}

bool Stream::search(const char *target, size_t length, const char *terminator, size_t endLength) {
  if (length == 0) return true;
  Matcher wanted(target, length);
  Matcher end(terminator, endLength);
  for (;;) {
    const int c = timedRead();
    if (c < 0) return false;
    if (wanted.feed(static_cast<char>(c))) return true;
    if (end.feed(static_cast<char>(c))) return false;
  }
}

int Stream::skipToNumber(LookaheadMode lookahead, bool real) {
  for (;;) {
    const int c = timedPeek();
    if (c < 0 || c == '-' || isDecimal(c) || (real && c == '.')) return c;
    if (lookahead == SKIP_NONE || (lookahead == SKIP_WHITESPACE && !isBlank(c))) return -1;
    read();
  }
}

long Stream::parseInt(LookaheadMode lookahead, char ignore) {
  int c = skipToNumber(lookahead, false);
  if (c < 0) return 0;
  const bool negative = c == '-';
  unsigned long value = 0;
  while (isDecimal(c) || c == '-' || (c >= 0 && c == static_cast<unsigned char>(ignore))) {
    if (isDecimal(c)) value = value * 10 + static_cast<unsigned long>(c - '0');
    read();
    c = timedPeek();
    if (c == '-') break;
  }
  return static_cast<long>(negative ? 0UL - value : value);
}

float Stream::parseFloat(LookaheadMode lookahead, char ignore) {
  int c = skipToNumber(lookahead, true);
  if (c < 0) return 0;
  const bool negative = c == '-';
  bool fraction = false;
  double value = 0;
  double scale = 1;
  if (negative) {
    read();
    c = timedPeek();
  }
  while (isDecimal(c) || (c == '.' && !fraction) ||
         (c >= 0 && c == static_cast<unsigned char>(ignore))) {
    if (c == '.') {
      fraction = true;
    } else if (isDecimal(c)) {
      value = value * 10 + (c - '0');
      if (fraction) scale *= 10;
    }
    read();
    c = timedPeek();
  }
  return static_cast<float>((negative ? -value : value) / scale);
}

size_t Stream::readBytes(char *buffer, size_t size) {
  size_t count = 0;
  while (count < size) {
    const int c = timedRead();
    if (c < 0) break;
    buffer[count++] = static_cast<char>(c);
  }
  return count;
}

size_t Stream::readBytesUntil(char terminator, char *buffer, size_t size) {
  size_t count = 0;
  while (count < size) {
    const int c = timedRead();
    if (c < 0 || static_cast<char>(c) == terminator) break;
    buffer[count++] = static_cast<char>(c);
  }
  return count;
}

String Stream::readString() {
  String text;
  for (int c = timedRead(); c >= 0; c = timedRead()) text += static_cast<char>(c);
  return text;
}

String Stream::readStringUntil(char terminator) {
  String text;
  for (int c = timedRead(); c >= 0 && static_cast<char>(c) != terminator; c = timedRead()) {
    text += static_cast<char>(c);
  }
  return text;
}
