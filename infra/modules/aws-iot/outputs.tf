# The contract that every module keeps, and what only AWS has.

output "broker_endpoint" {
  description = "host:port of MQTT over TLS."
  value       = "${data.aws_iot_endpoint.this.endpoint_address}:8883"
}

output "ca_ref" {
  description = "Who is trusted to sign the broker's certificate: the roots of the host."
  value       = "system"
}

output "devices" {
  description = "How each device connects. credential_ref names a key, it holds none."
  value = {
    for id, thing in local.things : id => {
      client_id      = thing
      topic_prefix   = "${local.topics}/${thing}"
      credential_ref = "custody:${var.stack}/${id}"
    }
  }
}

output "telemetry_sink" {
  description = "Where telemetry is kept."
  value = join(" and ", concat(
    [for table in aws_dynamodb_table.telemetry : "dynamodb:${table.name}"],
    [for bucket in aws_s3_bucket.telemetry : "s3:${bucket.bucket}"],
  ))
}

output "certificates" {
  description = "Certificate of each device in PEM."
  value       = { for id, certificate in aws_iot_certificate.device : id => certificate.certificate_pem }
  sensitive   = true
}

output "fleet_template" {
  description = "Name of the fleet-provisioning template; empty without one."
  value       = one(aws_iot_provisioning_template.fleet[*].name) == null ? "" : one(aws_iot_provisioning_template.fleet[*].name)
}
