#include "bench/format.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

namespace bench {
namespace {

// The largest float below 2^32, the documented limit of what is printed.
constexpr double kLargestPrintable = 4294967040.0;

size_t copyText(char *out, const char *text) {
  const size_t length = strlen(text);
  memcpy(out, text, length + 1);
  return length;
}

template <class T>
size_t digitsBackwards(char *out, T value, unsigned base) {
  size_t count = 0;
  do {
    const unsigned digit = static_cast<unsigned>(value % base);
    out[count++] = static_cast<char>(digit < 10 ? '0' + digit : 'A' + digit - 10);
    value = static_cast<T>(value / base);
  } while (value != 0);
  return count;
}

}  // namespace

size_t formatInteger(char *out, unsigned long long value, bool negative, unsigned base) {
  char backwards[kNumberText];
  if (base < 2 || base > 36) base = 10;
  // 64-bit division is a library call on 32-bit parts: leave it to the values that need it.
  size_t count = value <= UINT32_MAX
                     ? digitsBackwards(backwards, static_cast<uint32_t>(value), base)
                     : digitsBackwards(backwards, value, base);
  size_t length = 0;
  if (negative) out[length++] = '-';
  while (count > 0) out[length++] = backwards[--count];
  out[length] = '\0';
  return length;
}

size_t formatSigned(char *out, long long value, unsigned base, unsigned bits) {
  const unsigned long long pattern = static_cast<unsigned long long>(value);
  if (value >= 0) return formatInteger(out, pattern, false, base);
  if (base == 10) return formatInteger(out, 0ULL - pattern, true, base);
  return formatInteger(out, bits < 64 ? pattern & ((1ULL << bits) - 1) : pattern, false, base);
}

size_t formatReal(char *out, double value, unsigned decimals) {
  if (__builtin_isnan(value)) return copyText(out, "nan");
  if (__builtin_isinf(value)) return copyText(out, value < 0 ? "-inf" : "inf");
  const bool negative = value < 0;
  if (negative) value = -value;
  if (value > kLargestPrintable) return copyText(out, negative ? "-ovf" : "ovf");
  if (decimals > kMaxDecimals) decimals = kMaxDecimals;

  double half = 0.5;
  for (unsigned i = 0; i < decimals; i++) half /= 10.0;
  value += half;

  const uint32_t whole = static_cast<uint32_t>(value);
  double rest = value - whole;
  size_t length = formatInteger(out, whole, negative, 10);
  if (decimals == 0) return length;
  out[length++] = '.';
  for (unsigned i = 0; i < decimals; i++) {
    rest *= 10.0;
    const unsigned digit = static_cast<unsigned>(rest);
    out[length++] = static_cast<char>('0' + digit);
    rest -= digit;
  }
  out[length] = '\0';
  return length;
}

}  // namespace bench
