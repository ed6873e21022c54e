// MQTT over TLS with the device's own identity, on the network of Arduino's ESP32 core.
#include "Cloud.h"

#include <MQTT.h>
#include <WiFi.h>
#include <WiFiClientSecure.h>

#if !__has_include("cloud_secrets.h")
#error "copy cloud_secrets.example.h to cloud_secrets.h and fill it in"
#endif
#include "cloud_secrets.h"

CloudClient Cloud;

namespace {

struct Subscription {
  String topic;
  CloudHandler handler;
};

constexpr unsigned long kRetryMs = 5000;
constexpr int kBufferBytes = 1024;

WiFiClientSecure network;
MQTTClient client(kBufferBytes);
Subscription subscriptions[CloudClient::kMaxSubscriptions];
size_t subscriptionCount;
bool begun;
unsigned long retryAt;

String absolute(const char *topic) { return String(CLOUD_TOPIC_PREFIX "/") + topic; }

bool isTopic(const char *topic) {
  const size_t length = topic == nullptr ? 0 : strlen(topic);
  if (length == 0 || length > CloudClient::kMaxTopic) return false;
  for (size_t i = 0; i < length; i++) {
    if (!isAlphaNumeric(topic[i]) && strchr("_./-", topic[i]) == nullptr) return false;
  }
  return true;
}

void deliver(String &topic, String &payload) {
  for (size_t i = 0; i < subscriptionCount; i++) {
    if (topic == absolute(subscriptions[i].topic.c_str())) {
      subscriptions[i].handler(subscriptions[i].topic, payload);
      return;
    }
  }
}

void begin() {
  begun = true;
  WiFi.mode(WIFI_STA);
  WiFi.begin(CLOUD_WIFI_NAME, CLOUD_WIFI_PASSWORD);
  network.setCACert(CLOUD_AUTHORITY);
  network.setCertificate(CLOUD_CERTIFICATE);
  network.setPrivateKey(CLOUD_PRIVATE_KEY);
  client.begin(CLOUD_HOST, CLOUD_PORT, network);
  client.onMessage(deliver);
}

// Connects again where the connection was lost; once in a while, because a try takes seconds.
void keepConnected() {
  if (!begun) begin();
  if (client.connected() || WiFi.status() != WL_CONNECTED) return;
  if (static_cast<long>(millis() - retryAt) < 0) return;
  retryAt = millis() + kRetryMs;
  if (!client.connect(CLOUD_CLIENT_ID)) return;
  for (size_t i = 0; i < subscriptionCount; i++) {
    client.subscribe(absolute(subscriptions[i].topic.c_str()), 1);
  }
}

}  // namespace

// The linker puts this around the sketch's loop(), which is _Z4loopv to it: platformio.ini asks for
// that with --wrap.
extern "C" {
void __real__Z4loopv();
void __wrap__Z4loopv();
}

void __wrap__Z4loopv() {
  __real__Z4loopv();
  if (!begun) return;
  keepConnected();
  client.loop();
}

bool CloudClient::publish(const char *topic, const String &payload) {
  if (!isTopic(topic) || payload.length() > kMaxPayload) return false;
  keepConnected();
  return client.publish(absolute(topic), payload, false, 1);
}

bool CloudClient::subscribe(const char *topic, CloudHandler handler) {
  if (!isTopic(topic) || handler == nullptr) return false;
  size_t place = 0;
  while (place < subscriptionCount && subscriptions[place].topic != topic) place++;
  if (place == kMaxSubscriptions) return false;
  subscriptions[place] = {String(topic), handler};
  if (place == subscriptionCount) subscriptionCount++;
  keepConnected();
  return !client.connected() || client.subscribe(absolute(topic), 1);
}

bool CloudClient::connected() {
  keepConnected();
  return client.connected();
}
