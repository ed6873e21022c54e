// Messages to and from the device's cloud, over Wi-Fi and MQTT with TLS. The calls are those of
// Benchline's bench core; topics are relative to the device's own prefix.
#pragma once

#include <Arduino.h>

// Called between two loop() calls, never from an interrupt.
typedef void (*CloudHandler)(const String &topic, const String &payload);

class CloudClient {
 public:
  // Letters, digits and `_ . / -`.
  static constexpr size_t kMaxTopic = 64;
  static constexpr size_t kMaxPayload = 256;
  static constexpr size_t kMaxSubscriptions = 8;

  // Sends one message; false when topic or payload cannot be sent, or while there is no connection.
  bool publish(const char *topic, const String &payload);
  bool publish(const char *topic, const char *payload) { return publish(topic, String(payload)); }
  bool publish(const char *topic, double value, int decimals = 2) {
    return publish(topic, String(value, static_cast<unsigned int>(decimals)));
  }
  bool publish(const char *topic, float value, int decimals = 2) {
    return publish(topic, static_cast<double>(value), decimals);
  }
  template <class Number>
  bool publish(const char *topic, Number value) {
    return publish(topic, String(value));
  }

  // Asks for the messages of one topic, now and after each new connection. Call it in setup(): the
  // first call also joins the network.
  bool subscribe(const char *topic, CloudHandler handler);

  bool connected();
};

extern CloudClient Cloud;
