// What only this device may know. Copy this file to cloud_secrets.h, which is not put under version
// control, and fill it in. `benchline stack outputs NAME` tells endpoint, client id and prefix; the
// certificates are those of this device's identity.
#pragma once

#define CLOUD_WIFI_NAME ""
#define CLOUD_WIFI_PASSWORD ""

#define CLOUD_HOST ""
#define CLOUD_PORT 8883
#define CLOUD_CLIENT_ID ""
// As in "devices/lab-1".
#define CLOUD_TOPIC_PREFIX ""

// PEM texts: the authority that signed the broker, this device's certificate, and its key.
static const char CLOUD_AUTHORITY[] = R"PEM(
)PEM";
static const char CLOUD_CERTIFICATE[] = R"PEM(
)PEM";
static const char CLOUD_PRIVATE_KEY[] = R"PEM(
)PEM";
