// What a library hangs into the console's input and behind loop(). None is there unless a sketch
// includes its header, and the core carries nothing of it.
#pragma once

#include <stdint.h>

namespace bench {

struct Attachment {
  // One byte of a line from the host, without the line's mark; from an interrupt. A second mark
  // means that the line was cut short.
  void (*hostByte)(uint8_t byte);
  // Between two loop() calls.
  void (*afterLoop)();
};

// The first byte of the lines that are an attachment's.
constexpr uint8_t kAttachmentLine = 'C';

// Set before setup(), never changed.
extern const Attachment *attachment;

}  // namespace bench
