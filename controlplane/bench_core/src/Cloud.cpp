// Cloud records: `CL PUB <topic> <payload>` and `CL SUB <topic>` out, `CL MSG <topic> <payload>` in.
// In a payload `%` and all but printable ASCII are written `%hh`.
#define BENCH_CLOUD_ITSELF
#include "Cloud.h"

#include <string.h>

#include "bench/clock.h"
#include "bench/console.h"
#include "bench/crc.h"
#include "bench/format.h"
#include "bench/port.h"
#include "bench/records.h"
#include "bench/ring.h"

CloudClient Cloud;

namespace bench {
namespace {

constexpr size_t kMaxTopic = CloudClient::kMaxTopic;
constexpr size_t kMaxPayload = CloudClient::kMaxPayload;
constexpr char kMessage[] = "CL MSG ";
constexpr size_t kHead = sizeof kMessage - 1;
constexpr size_t kLongestLine = kHead + kMaxTopic + 1 + 3 * kMaxPayload;
constexpr char kHex[] = "0123456789ABCDEF";
constexpr uint8_t kLineEnd = '\n';

struct Subscription {
  char topic[kMaxTopic + 1];
  CloudHandler handler;
};

Subscription subscriptions[CloudClient::kMaxSubscriptions];
size_t subscriptionCount;

Ring<1024> arrived;
static_assert(kLongestLine + 2 < 1024, "one line fits");
bool arrivingIsCut;

bool isTopic(const char *topic) {
  size_t length = 0;
  for (; topic != nullptr && topic[length] != '\0'; length++) {
    const char c = topic[length];
    if (!isAlphaNumeric(c) && strchr("_./-", c) == nullptr) return false;
    if (length == kMaxTopic) return false;
  }
  return length > 0;
}

bool needsEscape(char c) { return c < ' ' || c > '~' || c == '%'; }

// One line under construction; what is put was measured before.
class Line {
 public:
  void put(char c) { text_[length_++] = c; }
  void put(const char *text) {
    while (*text != '\0') put(*text++);
  }
  void putEscaped(const char *text, size_t length) {
    for (size_t i = 0; i < length; i++) {
      const char c = text[i];
      if (!needsEscape(c)) {
        put(c);
        continue;
      }
      put('%');
      put(kHex[static_cast<uint8_t>(c) >> 4]);
      put(kHex[static_cast<uint8_t>(c) & 0xf]);
    }
  }
  bool send() { return consoleWriteRecord(text_, length_); }

 private:
  char text_[kLongestLine];
  size_t length_ = 0;
};

void refuse(const char *code) {
#ifdef BENCH_TEST
  recordError(code);
#else
  static_cast<void>(code);
#endif
}

#ifdef BENCH_TEST

// For scenarios: a word as v=, a text with blanks as t=, which runs to the end of the record.
void recordPublish(const char *topic, const char *payload, size_t length) {
  Line event;
  char number[kNumberText];
  formatInteger(number, uptimeMs(), false, 10);
  event.put("BL ");
  event.put(number);
  event.put(" EVT cloud.");
  event.put(topic);
  event.put(memchr(payload, ' ', length) == nullptr ? " v=" : " t=");
  for (size_t i = 0; i < length; i++) {
    event.put(payload[i] >= ' ' && payload[i] <= '~' ? payload[i] : '_');
  }
  event.send();
}

#endif

bool publishBytes(const char *topic, const char *payload, size_t length) {
  if (!isTopic(topic)) {
    refuse("cloud-topic");
    return false;
  }
  if (length > kMaxPayload) {
    refuse("cloud-payload");
    return false;
  }
#ifdef BENCH_TEST
  recordPublish(topic, payload, length);
#else
  consoleEnsureBegun();
#endif
  Line line;
  line.put("CL PUB ");
  line.put(topic);
  line.put(' ');
  line.putEscaped(payload, length);
  return line.send();
}

int hexDigit(char c) {
  const char *found = c == '\0' ? nullptr : strchr(kHex, toupper(c));
  return found == nullptr ? -1 : static_cast<int>(found - kHex);
}

// Turns `%hh` back, in place. The new length, or -1 for an escape that is none.
int unescape(char *text, size_t length) {
  size_t out = 0;
  for (size_t i = 0; i < length; i++, out++) {
    text[out] = text[i];
    if (text[i] != '%') continue;
    const int high = i + 2 < length ? hexDigit(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : hexDigit(text[i + 2]);
    if (low < 0) return -1;
    text[out] = static_cast<char>(high * 16 + low);
    i += 2;
  }
  return static_cast<int>(out);
}

// Hands one whole line to its handler; what is no message, or nobody's, is passed over.
void deliver(char *line, size_t length) {
  if (length <= kHead || memcmp(line, kMessage, kHead) != 0) return;
  char *topic = line + kHead;
  char *blank = static_cast<char *>(memchr(topic, ' ', length - kHead));
  if (blank == nullptr) return;
  *blank = '\0';
  char *payload = blank + 1;
  const int size = unescape(payload, length - static_cast<size_t>(payload - line));
  if (size < 0 || static_cast<size_t>(size) > kMaxPayload) return;
  for (size_t i = 0; i < subscriptionCount; i++) {
    if (strcmp(subscriptions[i].topic, topic) != 0) continue;
    subscriptions[i].handler(String(topic), String(payload, static_cast<size_t>(size)));
    return;
  }
}

// Two places are kept: for the mark of a line that was cut short, and for its end.
void onHostByte(uint8_t byte) {
  const bool ends = byte == kLineEnd || byte == kRecordMark;
  if (!ends) {
    if (arrived.room() > 2) {
      arrived.put(byte);
    } else {
      arrivingIsCut = true;
    }
    return;
  }
  // Where not even these two fit, nothing of this line was taken.
  if (arrived.room() >= 2) {
    if (arrivingIsCut || byte == kRecordMark) arrived.put(kRecordMark);
    arrived.put(kLineEnd);
  }
  arrivingIsCut = false;
}

void deliverArrived() {
  static char line[kLongestLine + 1];
  static size_t length;
  static bool isBad;
  while (arrived.used() > 0) {
    const int byte = arrived.get();
    if (byte != kLineEnd) {
      isBad = isBad || byte == kRecordMark || length == kLongestLine;
      if (!isBad) line[length++] = static_cast<char>(byte);
      continue;
    }
    if (!isBad) deliver(line, length);
    length = 0;
    isBad = false;
  }
}

constexpr Attachment kCloudAttachment = {onHostByte, deliverArrived};

struct ConfigHeader {
  uint32_t magic;
  uint16_t version;
  uint16_t length;
  uint32_t crc;  // over the 8 bytes before it and the text
};
static_assert(sizeof(ConfigHeader) == 12, "the sector is read in place");

constexpr uint32_t kConfigMagic = 0x43444c42;  // "BLDC"
constexpr uint16_t kConfigVersion = 1;

bool configIsWhole() {
  const uint8_t *bytes = port::deviceConfig();
  ConfigHeader header;
  memcpy(&header, bytes, sizeof header);
  if (header.magic != kConfigMagic || header.version != kConfigVersion) return false;
  if (header.length > port::kDeviceConfigSize - sizeof header) return false;
  uint32_t crc = crcUpdate(~0U, bytes, sizeof header - sizeof header.crc);
  crc = crcUpdate(crc, bytes + sizeof header, header.length);
  return ~crc == header.crc;
}

}  // namespace

bool cloudAttach() {
  attachment = &kCloudAttachment;
  return true;
}

}  // namespace bench

bool CloudClient::publish(const char *topic, const char *payload) {
  return bench::publishBytes(topic, payload, payload == nullptr ? 0 : strlen(payload));
}

bool CloudClient::publish(const char *topic, const String &payload) {
  return bench::publishBytes(topic, payload.c_str(), payload.length());
}

bool CloudClient::publish(const char *topic, double value, int decimals) {
  const unsigned char places = decimals < 0 ? 2 : static_cast<unsigned char>(min(decimals, 30));
  return publish(topic, String(value, places));
}

bool CloudClient::subscribe(const char *topic, CloudHandler handler) {
  if (!bench::isTopic(topic) || handler == nullptr) {
    bench::refuse("cloud-topic");
    return false;
  }
  size_t place = 0;
  while (place < bench::subscriptionCount &&
         strcmp(bench::subscriptions[place].topic, topic) != 0) {
    place++;
  }
  if (place == kMaxSubscriptions) {
    bench::refuse("cloud-subscriptions");
    return false;
  }
  strcpy(bench::subscriptions[place].topic, topic);
  bench::subscriptions[place].handler = handler;
  if (place == bench::subscriptionCount) bench::subscriptionCount++;
#ifndef BENCH_TEST
  bench::consoleEnsureBegun();
#endif
  bench::Line line;
  line.put("CL SUB ");
  line.put(topic);
  return line.send();
}

bool CloudClient::connected() const { return bench::configIsWhole(); }
