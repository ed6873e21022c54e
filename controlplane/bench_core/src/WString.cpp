#include "WString.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "bench/format.h"

using bench::formatInteger;
using bench::formatReal;
using bench::formatSigned;
using bench::kNumberText;

namespace {

constexpr size_t kSmallestBuffer = 15;

int lower(char c) { return tolower(static_cast<unsigned char>(c)); }
bool space(char c) { return isspace(static_cast<unsigned char>(c)) != 0; }
bool digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

String::String(const char *text) {
  if (text != nullptr) concat(text, strlen(text));
}
String::String(const char *text, size_t length) { concat(text, length); }
String::String(const String &other) { concat(other); }
String::String(String &&other) noexcept { moveFrom(other); }
String::String(char c) { concat(&c, 1); }
String::String(unsigned char value, unsigned char base) { setUnsigned(value, base); }
String::String(int value, unsigned char base) { setSigned(value, base, 32); }
String::String(unsigned int value, unsigned char base) { setUnsigned(value, base); }
String::String(long value, unsigned char base) { setSigned(value, base, 32); }
String::String(unsigned long value, unsigned char base) { setUnsigned(value, base); }
String::String(long long value, unsigned char base) { setSigned(value, base, 64); }
String::String(unsigned long long value, unsigned char base) { setUnsigned(value, base); }
String::String(float value, unsigned char decimals) {
  setReal(static_cast<double>(value), decimals);
}
String::String(double value, unsigned char decimals) { setReal(value, decimals); }
String::~String() { free(text_); }

void String::moveFrom(String &other) noexcept {
  text_ = other.text_;
  length_ = other.length_;
  capacity_ = other.capacity_;
  other.text_ = nullptr;
  other.length_ = other.capacity_ = 0;
}

void String::setUnsigned(unsigned long long value, unsigned base) {
  char text[kNumberText];
  concat(text, formatInteger(text, value, false, base));
}

void String::setSigned(long long value, unsigned base, unsigned bits) {
  char text[kNumberText];
  concat(text, formatSigned(text, value, base, bits));
}

void String::setReal(double value, unsigned decimals) {
  char text[kNumberText];
  concat(text, formatReal(text, value, decimals));
}

String &String::operator=(const String &other) {
  if (this != &other) {
    remove(0);
    concat(other);
  }
  return *this;
}

String &String::operator=(String &&other) noexcept {
  if (this != &other) {
    free(text_);
    moveFrom(other);
  }
  return *this;
}

String &String::operator=(const char *text) {
  // Through a second String, because `text` may point into this one.
  return *this = String(text);
}

bool String::reserve(size_t length) {
  if (text_ != nullptr && capacity_ >= length) return true;
  char *bigger = static_cast<char *>(realloc(text_, length + 1));
  if (bigger == nullptr) return false;
  if (text_ == nullptr) bigger[0] = '\0';
  text_ = bigger;
  capacity_ = length;
  return true;
}

bool String::concat(const char *text, size_t length) {
  if (length == 0) return true;
  const size_t needed = length_ + length;
  if (needed < length_) return false;
  // `s += s`: growing moves the buffer that `text` points into.
  const bool inside = text_ != nullptr && text >= text_ && text <= text_ + length_;
  const size_t offset = inside ? static_cast<size_t>(text - text_) : 0;
  if (text_ == nullptr || needed > capacity_) {
    // Growing by half keeps a loop of appends linear; a tight heap still gets what fits exactly.
    const size_t roomy = needed < kSmallestBuffer ? kSmallestBuffer : needed + needed / 2;
    if (!reserve(roomy) && !reserve(needed)) return false;
  }
  memmove(text_ + length_, inside ? text_ + offset : text, length);
  length_ = needed;
  text_[length_] = '\0';
  return true;
}

int String::compareTo(const String &other) const { return strcmp(c_str(), other.c_str()); }

bool String::equalsIgnoreCase(const String &other) const {
  if (length_ != other.length_) return false;
  for (size_t i = 0; i < length_; i++) {
    if (lower(text_[i]) != lower(other.text_[i])) return false;
  }
  return true;
}

bool String::matchesAt(size_t index, const String &part) const {
  return index <= length_ && part.length_ <= length_ - index &&
         memcmp(c_str() + index, part.c_str(), part.length_) == 0;
}

bool String::startsWith(const String &prefix, size_t from) const { return matchesAt(from, prefix); }

bool String::endsWith(const String &suffix) const {
  return suffix.length_ <= length_ && matchesAt(length_ - suffix.length_, suffix);
}

char &String::operator[](size_t index) {
  static char nowhere;
  if (index < length_) return text_[index];
  nowhere = '\0';
  return nowhere;
}

void String::getBytes(unsigned char *out, size_t size, size_t from) const {
  if (size == 0) return;
  size_t count = from < length_ ? length_ - from : 0;
  if (count > size - 1) count = size - 1;
  if (count > 0) memcpy(out, text_ + from, count);
  out[count] = '\0';
}

int String::indexOf(char c, size_t from) const {
  for (size_t i = from; i < length_; i++) {
    if (text_[i] == c) return static_cast<int>(i);
  }
  return -1;
}

int String::indexOf(const String &part, size_t from) const {
  for (size_t i = from; i < length_; i++) {
    if (matchesAt(i, part)) return static_cast<int>(i);
  }
  return -1;
}

int String::lastIndexOf(char c, size_t from) const {
  for (size_t i = from < length_ ? from + 1 : length_; i-- > 0;) {
    if (text_[i] == c) return static_cast<int>(i);
  }
  return -1;
}

int String::lastIndexOf(const String &part, size_t from) const {
  if (part.length_ == 0 || part.length_ > length_) return -1;
  const size_t last = length_ - part.length_;
  for (size_t i = (from < last ? from : last) + 1; i-- > 0;) {
    if (matchesAt(i, part)) return static_cast<int>(i);
  }
  return -1;
}

String String::substring(size_t from, size_t to) const {
  if (from > to) {
    const size_t swapped = from;
    from = to;
    to = swapped;
  }
  if (from >= length_) return String();
  if (to > length_) to = length_;
  return String(text_ + from, to - from);
}

void String::replace(char from, char to) {
  for (size_t i = 0; i < length_; i++) {
    if (text_[i] == from) text_[i] = to;
  }
}

void String::replace(const String &from, const String &to) {
  if (from.length_ == 0) return;
  String replaced;
  size_t at = 0;
  while (at < length_) {
    if (matchesAt(at, from)) {
      if (!replaced.concat(to)) return;
      at += from.length_;
    } else if (!replaced.concat(text_[at++])) {
      return;
    }
  }
  *this = static_cast<String &&>(replaced);
}

void String::remove(size_t index, size_t count) {
  if (index >= length_) return;
  if (count > length_ - index) count = length_ - index;
  memmove(text_ + index, text_ + index + count, length_ - index - count + 1);
  length_ -= count;
}

void String::toLowerCase() {
  for (size_t i = 0; i < length_; i++) text_[i] = static_cast<char>(lower(text_[i]));
}

void String::toUpperCase() {
  for (size_t i = 0; i < length_; i++) {
    text_[i] = static_cast<char>(toupper(static_cast<unsigned char>(text_[i])));
  }
}

void String::trim() {
  size_t first = 0;
  size_t past = length_;
  while (first < past && space(text_[first])) first++;
  while (past > first && space(text_[past - 1])) past--;
  remove(past);
  remove(0, first);
}

long String::toInt() const { return strtol(c_str(), nullptr, 10); }

double String::toDouble() const {
  // A parser of our own: strtod would add about 8 KiB to every image that reads one number.
  const char *at = c_str();
  while (space(*at)) at++;
  const bool negative = *at == '-';
  if (*at == '-' || *at == '+') at++;
  double value = 0;
  int exponent = 0;
  while (digit(*at)) value = value * 10 + (*at++ - '0');
  if (*at == '.') {
    for (at++; digit(*at); at++, exponent--) value = value * 10 + (*at - '0');
  }
  if (*at == 'e' || *at == 'E') {
    const int written = atoi(at + 1);
    exponent += written > 400 ? 400 : (written < -400 ? -400 : written);
  }
  double scale = 1;
  for (int i = exponent < 0 ? -exponent : exponent; i > 0; i--) scale *= 10;
  value = exponent < 0 ? value / scale : value * scale;
  return negative ? -value : value;
}
