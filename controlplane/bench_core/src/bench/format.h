// Numbers as text, shared by Print, String and the test records.
#pragma once

#include <stddef.h>

namespace bench {

// Enough for 64 binary digits, a sign and the end, and for a real with kMaxDecimals decimals.
constexpr size_t kNumberText = 72;
constexpr unsigned kMaxDecimals = 30;

// Writes `value` in `base` (2 to 36, anything else means 10, letters in upper case), with a minus
// sign when `negative`. Returns the length; `out` holds kNumberText characters.
size_t formatInteger(char *out, unsigned long long value, bool negative, unsigned base);

// Writes a signed value. In base 10 with a sign; in other bases as two's complement of 32 bits, or
// of 64 when the value needs it, as the reference shows negative numbers.
size_t formatSigned(char *out, long long value, unsigned base, unsigned bits);

// Writes `value` rounded to `decimals` (at most kMaxDecimals). "nan", "inf", "-inf" for what is no
// number, "ovf" or "-ovf" beyond 4294967040 as documented.
size_t formatReal(char *out, double value, unsigned decimals);

}  // namespace bench
