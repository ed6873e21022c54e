// Serial: the console UART of the board.
#pragma once

#include "Stream.h"

// Frame formats. Only 8 data bits, no parity, 1 stop bit is implemented.
#define SERIAL_8N1 0x06

class HardwareSerial : public Stream {
 public:
  // What is written before begin() is discarded, as nothing would leave the pin. A test build keeps
  // its own console rate, because its records share the wire; a release build uses `baud`.
  void begin(unsigned long baud, uint8_t format = SERIAL_8N1);
  void end();

  int available() override;
  int read() override;
  int peek() override;
  int availableForWrite() override;
  // Returns when the last byte has left the UART.
  void flush() override;
  size_t write(uint8_t byte) override;
  using Print::write;

  // The UART is there from the start: `while (!Serial)` ends at once.
  explicit operator bool() const { return true; }

 private:
  bool begun_ = false;
};

extern HardwareSerial Serial;

// Called between two loop() calls when input is waiting; a sketch may define it.
void serialEvent() __attribute__((weak));
