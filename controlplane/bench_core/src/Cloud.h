// Messages to and from the device's cloud. A board without a network of its own writes them to the
// console, and the lab's gateway carries them; topics are relative to the device's own prefix.
#pragma once

#include "Arduino.h"
#include "bench/attachment.h"

// Called between two loop() calls, never from an interrupt.
typedef void (*CloudHandler)(const String &topic, const String &payload);

class CloudClient {
 public:
  // Letters, digits and `_ . / -`.
  static constexpr size_t kMaxTopic = 64;
  static constexpr size_t kMaxPayload = 256;
  static constexpr size_t kMaxSubscriptions = 8;

  // Sends one message; false when topic or payload cannot be sent, or when an interrupt found no
  // room on the wire. True says that it left the board, not that somebody got it.
  bool publish(const char *topic, const char *payload);
  bool publish(const char *topic, const String &payload);
  bool publish(const char *topic, double value, int decimals = 2);
  bool publish(const char *topic, float value, int decimals = 2) {
    return publish(topic, static_cast<double>(value), decimals);
  }
  template <class Number>
  bool publish(const char *topic, Number value) {
    return publish(topic, String(value));
  }

  // Asks for the messages of one topic; a second handler of a topic replaces the first. Call it in
  // setup(): the gateway learns of it then. False for a bad topic and when there is no room.
  bool subscribe(const char *topic, CloudHandler handler);

  // Whether the board has been told its cloud: a whole device configuration is in its flash.
  bool connected() const;
};

extern CloudClient Cloud;

namespace bench {

// Lets the core pass the host's lines and its spare time to the cloud.
bool cloudAttach();
#ifndef BENCH_CLOUD_ITSELF
// Before setup(), and only in a sketch that includes this header.
inline const bool cloudIsAttached = cloudAttach();
#endif

}  // namespace bench
