// The console's byte queues. User text and test records share the wire out; user input and live
// commands share the wire in.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace bench {

// Starts a record out and a line of the host in; doubled when it is a user's byte.
constexpr uint8_t kRecordMark = 0x1e;

// What every board model's console runs at: 115200 8N1.
constexpr uint32_t kDefaultBaud = 115200;

// Waits for room, whoever calls.
void consoleWriteText(uint8_t byte);
size_t consoleTextRoom();
void consoleFlush();

// Both wait for input never: -1 when there is none.
int consoleRead();
int consolePeek();
size_t consoleAvailable();
// Adds a byte to the user's input. False when the queue is full.
bool consoleReceive(uint8_t byte);

// Puts one whole record on the wire. From an interrupt a record that does not fit is counted as
// dropped and false is returned; elsewhere it waits.
bool consoleWriteRecord(const char *text, size_t length);

#ifndef BENCH_TEST
// Starts the UART, and remembers it.
void consoleBegin(uint32_t baud);
// Starts the UART at 115200 when nothing has started it: records need it as much as text.
void consoleEnsureBegun();
#else
uint32_t consoleDroppedRecords();
// Throws away what waits, so that a last record gets out from any context.
void consoleDiscardOutput();
#endif

}  // namespace bench
