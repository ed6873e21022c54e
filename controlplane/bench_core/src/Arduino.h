// The Arduino API of the bench core: what a sketch sees. Written from the language reference.
// Not declared here means not implemented: a sketch that needs it fails to compile, it is never
// given a function that does nothing (see docs/bench-core.md).
#pragma once

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/numeric.h"

#define ARDUINO 10819
#define ARDUINO_BENCH_CORE 1

#define HIGH 0x1
#define LOW 0x0
#define INPUT 0x0
#define OUTPUT 0x1
#define INPUT_PULLUP 0x2
#define INPUT_PULLDOWN 0x3
#define OUTPUT_OPENDRAIN 0x4

#define CHANGE 1
#define FALLING 2
#define RISING 3

#define LSBFIRST 0
#define MSBFIRST 1

#define PI 3.1415926535897932384626433832795
#define HALF_PI 1.5707963267948966192313216916398
#define TWO_PI 6.283185307179586476925286766559
#define DEG_TO_RAD 0.017453292519943295769236907684886
#define RAD_TO_DEG 57.295779513082320876798154814105
#define EULER 2.718281828459045235360287471352

#define DEC 10
#define HEX 16
#define OCT 8
#define BIN 2

typedef uint8_t byte;
typedef bool boolean;
typedef uint16_t word;

// There is one address space: flash strings are ordinary strings with a type of their own.
class __FlashStringHelper;
#define PROGMEM
#define F(text) (reinterpret_cast<const __FlashStringHelper *>(text))
#define PSTR(text) (text)
#define pgm_read_byte(address) (*reinterpret_cast<const uint8_t *>(address))
#define pgm_read_word(address) (*reinterpret_cast<const uint16_t *>(address))
#define pgm_read_dword(address) (*reinterpret_cast<const uint32_t *>(address))
#define pgm_read_float(address) (*reinterpret_cast<const float *>(address))
#define pgm_read_ptr(address) (*reinterpret_cast<const void *const *>(address))
#define strcpy_P strcpy
#define strncpy_P strncpy
#define strcmp_P strcmp
#define strlen_P strlen
#define memcpy_P memcpy
#define sprintf_P sprintf
#define snprintf_P snprintf

#define bit(b) (1UL << (b))
#define bitRead(value, b) (((value) >> (b)) & 0x01)
#define bitSet(value, b) ((value) |= (1UL << (b)))
#define bitClear(value, b) ((value) &= ~(1UL << (b)))
#define bitToggle(value, b) ((value) ^= (1UL << (b)))
#define bitWrite(value, b, on) ((on) ? bitSet(value, b) : bitClear(value, b))
#define lowByte(value) (static_cast<uint8_t>((value) & 0xff))
#define highByte(value) (static_cast<uint8_t>(((value) >> 8) & 0xff))
#define radians(deg) ((deg) * DEG_TO_RAD)
#define degrees(rad) ((rad) * RAD_TO_DEG)

constexpr uint16_t makeWord(uint16_t value) { return value; }
constexpr uint16_t makeWord(uint8_t high, uint8_t low) {
  return static_cast<uint16_t>((high << 8) | low);
}
#define word(...) makeWord(__VA_ARGS__)

// Pin names of the part and of the board: PA0.., LED_BUILTIN, A0...
#include BENCH_VARIANT_HEADER

void setup();
void loop();

// Pins. A number that is no pin of the part, or one that the core needs, is ignored; a test build
// also reports it.
void pinMode(uint32_t pin, uint32_t mode);
void digitalWrite(uint32_t pin, uint32_t value);
int digitalRead(uint32_t pin);
// 10 bits unless analogReadResolution says otherwise; 0 on a pin without a converter.
int analogRead(uint32_t pin);
// 1 to 16 bits; other values are brought into this range.
void analogReadResolution(int bits);

// Time. millis() and micros() wrap at 2^32.
unsigned long millis();
unsigned long micros();
void delay(unsigned long ms);
void delayMicroseconds(unsigned int us);
void yield();

// Interrupts. Handlers run in interrupt context: keep them short, no delay().
void noInterrupts();
void interrupts();
void attachInterrupt(uint32_t number, void (*handler)(), int mode);
void detachInterrupt(uint32_t number);
#define digitalPinToInterrupt(pin) (pin)
#define NOT_AN_INTERRUPT -1

// Pulses and shift registers.
unsigned long pulseIn(uint32_t pin, uint32_t level, unsigned long timeoutUs = 1000000UL);
unsigned long pulseInLong(uint32_t pin, uint32_t level, unsigned long timeoutUs = 1000000UL);
uint8_t shiftIn(uint32_t dataPin, uint32_t clockPin, uint8_t order);
void shiftOut(uint32_t dataPin, uint32_t clockPin, uint8_t order, uint8_t value);

// Numbers.
long random(long howBig);
long random(long from, long to);
void randomSeed(unsigned long seed);
long map(long value, long fromLow, long fromHigh, long toLow, long toHigh);

// Characters. Named functions instead of the C ones so that they give bool.
inline bool isAlpha(int c) { return isalpha(c) != 0; }
inline bool isAlphaNumeric(int c) { return isalnum(c) != 0; }
inline bool isAscii(int c) { return c >= 0 && c < 128; }
inline bool isControl(int c) { return iscntrl(c) != 0; }
inline bool isDigit(int c) { return isdigit(c) != 0; }
inline bool isGraph(int c) { return isgraph(c) != 0; }
inline bool isHexadecimalDigit(int c) { return isxdigit(c) != 0; }
inline bool isLowerCase(int c) { return islower(c) != 0; }
inline bool isPrintable(int c) { return isprint(c) != 0; }
inline bool isPunct(int c) { return ispunct(c) != 0; }
inline bool isSpace(int c) { return isspace(c) != 0; }
inline bool isUpperCase(int c) { return isupper(c) != 0; }
inline bool isWhitespace(int c) { return c == ' ' || c == '\t'; }

#include "WString.h"

#include "Print.h"

#include "Stream.h"

#include "HardwareSerial.h"

#include "Bench.h"
