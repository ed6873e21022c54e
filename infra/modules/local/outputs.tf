output "broker_endpoint" {
  description = "Where devices connect: host:port, MQTT over TLS with a client certificate."
  value       = benchline_broker.this.endpoint
}

output "ca_ref" {
  description = "Names the certificate of the authority that signs for the broker and the devices."
  value       = "local:${var.stack}/ca"
}

output "devices" {
  description = "By device id: its MQTT client id, the prefix of its topics, and the name of its key."
  value = {
    for id, device in benchline_device.this : id => {
      client_id      = device.client_id
      topic_prefix   = device.topic_prefix
      credential_ref = device.credential_ref
    }
  }
}

output "telemetry_sink" {
  description = "Where what the devices publish can be read: the broker itself, as the reader of telemetry."
  value       = "local:${var.stack}/ingest"
}
