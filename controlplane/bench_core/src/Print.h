// Text output: everything that print() and println() accept, and printf().
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "WString.h"

class Print;

// An object that knows how to print itself.
class Printable {
 public:
  virtual ~Printable() = default;
  virtual size_t printTo(Print &out) const = 0;
};

class Print {
 public:
  virtual ~Print() = default;

  virtual size_t write(uint8_t byte) = 0;
  virtual size_t write(const uint8_t *bytes, size_t count);
  virtual int availableForWrite() { return 0; }
  virtual void flush() {}
  size_t write(const char *text) { return text ? write(text, __builtin_strlen(text)) : 0; }
  size_t write(const char *bytes, size_t count) {
    return write(reinterpret_cast<const uint8_t *>(bytes), count);
  }

  // Each returns the number of bytes written. Base 0 writes the value as one byte.
  size_t print(const __FlashStringHelper *text) {
    return write(reinterpret_cast<const char *>(text));
  }
  size_t print(const String &text) { return write(text.c_str(), text.length()); }
  size_t print(const char *text) { return write(text); }
  size_t print(char c) { return write(static_cast<uint8_t>(c)); }
  size_t print(unsigned char v, int base = 10) { return printUnsigned(v, base); }
  size_t print(int v, int base = 10) { return printSigned(v, base, 32); }
  size_t print(unsigned int v, int base = 10) { return printUnsigned(v, base); }
  size_t print(long v, int base = 10) { return printSigned(v, base, 32); }
  size_t print(unsigned long v, int base = 10) { return printUnsigned(v, base); }
  size_t print(long long v, int base = 10) { return printSigned(v, base, 64); }
  size_t print(unsigned long long v, int base = 10) { return printUnsigned(v, base); }
  size_t print(double v, int decimals = 2);
  size_t print(const Printable &object) { return object.printTo(*this); }

  size_t println() { return write("\r\n", 2); }
  template <class T>
  size_t println(const T &value) {
    const size_t written = print(value);
    return written + println();
  }
  template <class T>
  size_t println(const T &value, int baseOrDecimals) {
    const size_t written = print(value, baseOrDecimals);
    return written + println();
  }

  size_t printf(const char *format, ...) __attribute__((format(printf, 2, 3)));
  size_t printf(const __FlashStringHelper *format, ...);

  int getWriteError() const { return writeError_; }
  void clearWriteError() { writeError_ = 0; }

 protected:
  void setWriteError(int error = 1) { writeError_ = error; }

 private:
  size_t printUnsigned(unsigned long long value, int base);
  size_t printSigned(long long value, int base, unsigned bits);
  size_t printFormatted(const char *format, __builtin_va_list arguments);

  int writeError_ = 0;
};
