// Pin names as ST writes them: PA0 to PI15.
#include <stdlib.h>

#include "bench/port.h"

namespace port {

void pinName(uint32_t pin, char (&text)[kPinNameText]) {
  const uint32_t number = pin % 16;
  char *to = text;
  *to++ = 'P';
  *to++ = static_cast<char>('A' + pin / 16);
  if (number >= 10) *to++ = '1';
  *to++ = static_cast<char>('0' + number % 10);
  *to = '\0';
}

uint32_t pinNamed(const char *text, const char **rest) {
  if (text[0] != 'P' || text[1] < 'A' || text[1] > 'I') return kPinCount;
  if (text[2] < '0' || text[2] > '9') return kPinCount;
  char *end = nullptr;
  const unsigned long number = strtoul(text + 2, &end, 10);
  *rest = end;
  if (number > 15) return kPinCount;
  return static_cast<uint32_t>(text[1] - 'A') * 16 + static_cast<uint32_t>(number);
}

}  // namespace port
