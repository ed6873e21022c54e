// The console's byte queues. User text and test records share the wire out; user input and live
// commands share the wire in.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace bench {

// Starts a record out and a command in; doubled when it is a user's byte.
constexpr uint8_t kRecordMark = 0x1e;

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

#ifdef BENCH_TEST
// Puts one whole record on the wire. From an interrupt a record that does not fit is counted as
// dropped instead; elsewhere it waits.
void consoleWriteRecord(const char *text, size_t length);
uint32_t consoleDroppedRecords();
// Throws away what waits, so that a last record gets out from any context.
void consoleDiscardOutput();
#endif

}  // namespace bench
