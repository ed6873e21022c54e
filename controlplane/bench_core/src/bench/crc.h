// The CRC-32 of zlib, four bits at a time: each entry is what four steps of the division leave.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace bench {

constexpr uint32_t crcOfNibble(uint32_t crc) {
  for (int i = 0; i < 4; i++) crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
  return crc;
}
struct NibbleTable {
  uint32_t of[16];
};
constexpr NibbleTable makeNibbles() {
  NibbleTable table = {};
  for (uint32_t i = 0; i < 16; i++) table.of[i] = crcOfNibble(i);
  return table;
}
constexpr NibbleTable kNibbles = makeNibbles();

// Begin with ~0; the sum is the complement of what the last call gives.
inline uint32_t crcUpdate(uint32_t crc, const uint8_t *bytes, size_t count) {
  while (count-- > 0) {
    crc ^= *bytes++;
    crc = (crc >> 4) ^ kNibbles.of[crc & 0xf];
    crc = (crc >> 4) ^ kNibbles.of[crc & 0xf];
  }
  return crc;
}

}  // namespace bench
