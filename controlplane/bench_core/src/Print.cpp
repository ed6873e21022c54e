#include "Print.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/format.h"

size_t Print::write(const uint8_t *bytes, size_t count) {
  size_t written = 0;
  while (written < count && write(bytes[written]) == 1) written++;
  return written;
}

size_t Print::printUnsigned(unsigned long long value, int base) {
  if (base == 0) return write(static_cast<uint8_t>(value));
  char text[bench::kNumberText];
  return write(text, bench::formatInteger(text, value, false, static_cast<unsigned>(base)));
}

size_t Print::printSigned(long long value, int base, unsigned bits) {
  if (base == 0) return write(static_cast<uint8_t>(value));
  char text[bench::kNumberText];
  return write(text, bench::formatSigned(text, value, static_cast<unsigned>(base), bits));
}

size_t Print::print(double v, int decimals) {
  char text[bench::kNumberText];
  const unsigned places = decimals < 0 ? 2U : static_cast<unsigned>(decimals);
  return write(text, bench::formatReal(text, v, places));
}

size_t Print::printf(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const size_t written = printFormatted(format, arguments);
  va_end(arguments);
  return written;
}

size_t Print::printf(const __FlashStringHelper *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const size_t written = printFormatted(reinterpret_cast<const char *>(format), arguments);
  va_end(arguments);
  return written;
}

size_t Print::printFormatted(const char *format, va_list arguments) {
  // Most lines fit on the stack; a longer one is formatted a second time on the heap.
  char line[128];
  va_list again;
  va_copy(again, arguments);
  const int needed = vsnprintf(line, sizeof line, format, arguments);
  size_t written = 0;
  if (needed > 0 && static_cast<size_t>(needed) < sizeof line) {
    written = write(line, static_cast<size_t>(needed));
  } else if (needed > 0) {
    const size_t room = static_cast<size_t>(needed) + 1;
    char *longer = static_cast<char *>(malloc(room));
    if (longer == nullptr) {
      setWriteError();
      written = write(line, sizeof line - 1);
    } else {
      vsnprintf(longer, room, format, again);
      written = write(longer, room - 1);
      free(longer);
    }
  }
  va_end(again);
  return written;
}
