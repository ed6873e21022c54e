resource "benchline_broker" "this" {
  port = var.port
}

resource "benchline_device" "this" {
  for_each = var.devices

  device_id = each.key
  broker    = benchline_broker.this.id
}
