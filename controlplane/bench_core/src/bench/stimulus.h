// The stimulus table: what happens to the inputs, and when, on the device's own clock.
#pragma once

#ifdef BENCH_TEST

#include <stdint.h>

#include "bench/records.h"

namespace bench {

// Reads the table's header and decides where inputs come from. Reports nothing yet.
Run stimulusOpen();
// Reports what was wrong with the table, if anything, and applies the rows of 0 ms.
void stimulusStart();
// From the tick: applies the rows that are due and the live commands that have come in.
void stimulusTick(uint32_t now);
// Whether a table says what the inputs are.
bool stimulusInjects();
// A host's clock runs beside this run.
bool stimulusIsLive();
// One byte of a live command, its line end included; from the console's interrupt.
void stimulusCommandByte(uint8_t byte);

}  // namespace bench

#endif
