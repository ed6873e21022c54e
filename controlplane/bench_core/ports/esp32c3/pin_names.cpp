// Pin names as Espressif writes them: GPIO0 to GPIO21.
#include <stdlib.h>
#include <string.h>

#include "bench/port.h"

namespace port {
namespace {

constexpr char kPrefix[] = "GPIO";
constexpr size_t kPrefixLength = sizeof kPrefix - 1;

}  // namespace

void pinName(uint32_t pin, char (&text)[kPinNameText]) {
  memcpy(text, kPrefix, kPrefixLength);
  char *to = text + kPrefixLength;
  if (pin >= 10) *to++ = static_cast<char>('0' + pin / 10);
  *to++ = static_cast<char>('0' + pin % 10);
  *to = '\0';
}

uint32_t pinNamed(const char *text, const char **rest) {
  if (strncmp(text, kPrefix, kPrefixLength) != 0) return kPinCount;
  const char *digits = text + kPrefixLength;
  if (*digits < '0' || *digits > '9') return kPinCount;
  char *end = nullptr;
  const unsigned long number = strtoul(digits, &end, 10);
  *rest = end;
  return number < kPinCount ? static_cast<uint32_t>(number) : kPinCount;
}

}  // namespace port
