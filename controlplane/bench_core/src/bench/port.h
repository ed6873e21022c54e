// The only door to the hardware: everything above it is the same for every part, everything below
// it belongs to one. The first half is what a port gives to the core, the second half is what the
// core gives to a port.
#pragma once

#include <stdint.h>

#include "port_facts.h"

namespace bench {

struct FaultWord {
  const char *key;
  uint32_t value;
};

// What broke, and the registers that a port can tell, in the order of the record; a null key ends
// them. Every port has pc, lr and addr.
struct Fault {
  const char *kind;  // hard, bus, usage, mem, abort, irq
  FaultWord words[5];
};

}  // namespace bench

namespace port {

enum class PinMode : uint8_t { kInput, kOutput, kInputPullUp, kInputPullDown, kOutputOpenDrain };

enum class Edge : uint8_t { kChange, kFalling, kRising };

extern const char kPartName[];

// Sets up clocks, pins and the console UART at `consoleBaud` (0: not yet). Interrupts stay off.
void init(uint32_t consoleBaud);
// Starts the 1 ms tick and turns interrupts on: the first millisecond begins.
void start();
// Which clock the processor runs from and how fast, for people: `hse8-168`, `hsi16-16`.
const char *clockName();
// power, pin, soft, iwdg, wwdg, lowpower or unknown.
const char *resetCause();

// Masks interrupts and returns the former state for irqRestore().
uint32_t irqSave();
void irqRestore(uint32_t state);
void irqEnable();
bool inInterrupt();
// True outside interrupts with interrupts on: waiting for the tick can end.
bool canSleep();
// Sleeps until an interrupt is pending. Call it with interrupts masked.
void sleepMasked();

// Stops the tick and sleeps for good, with interrupts masked.
[[noreturn]] void halt();

// Microseconds since the last tick, 0 to 999. Only where canSleep().
uint32_t phaseUs();
// Microseconds since start, modulo 2^32.
uint32_t nowUs();
// Returns `us` microseconds after the last tick, at most one tick later. Only where canSleep().
void sleepUntilPhase(uint32_t us);
#ifdef BENCH_TEST
// Called before start(): from then on lostMs() tells how many milliseconds got no tick.
void watchTicks();
uint32_t lostMs();
#endif

void consoleBegin(uint32_t baud);
// How many bytes the UART takes at once.
uint32_t consoleTxRoom();
// True when the last bit has left the pin.
bool consoleTxIdle();
void consoleTx(uint8_t byte);
// Asks for onConsoleTxReady() calls while bytes are waiting.
void consoleTxInterrupt(bool wanted);

// A pin's name in records and commands, with its end.
constexpr uint32_t kPinNameText = 8;
void pinName(uint32_t pin, char (&text)[kPinNameText]);
// The pin that `text` starts with and where the name ends; kPinCount when it is no name.
uint32_t pinNamed(const char *text, const char **rest);

// Whether the package has this pin; whether the board needs it for the console or the debugger.
bool pinExists(uint32_t pin);
bool pinReserved(uint32_t pin);
void pinConfigure(uint32_t pin, PinMode mode);
void pinWrite(uint32_t pin, bool high);
bool pinRead(uint32_t pin);
bool pinHasAdc(uint32_t pin);
// 12-bit counts, or -1 when the converter did not answer.
int adcRead(uint32_t pin);

// Calls bench::onEdge(pin) on real edges. False when this pin's interrupt line is taken.
bool edgeEnable(uint32_t pin, Edge edge);
void edgeDisable(uint32_t pin);

// Where the stimulus table lies; it may have kStimulusTableSize bytes.
const uint8_t *stimulusTable();
// Where the device configuration lies, kDeviceConfigSize bytes.
const uint8_t *deviceConfig();

// The fault of an abort() that was called at `caller`.
bench::Fault abortFault(uint32_t caller);

}  // namespace port

namespace bench {

// From the 1 ms interrupt.
void onTick();
// From the console's interrupt.
void onConsoleByte(uint8_t byte);
void onConsoleTxReady();
// From a pin's interrupt.
void onEdge(uint32_t pin);
// From a fault handler; does not return.
[[noreturn]] void onFault(const Fault &fault);

}  // namespace bench
