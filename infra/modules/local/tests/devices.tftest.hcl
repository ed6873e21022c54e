# The provider is played: what it really does is tested with it.

mock_provider "benchline" {
  mock_resource "benchline_broker" {
    defaults = {
      id       = "greenhouse"
      endpoint = "127.0.0.1:18883"
    }
  }
}

variables {
  stack   = "greenhouse"
  devices = { plant-1 = {}, plant-2 = {} }
}

run "keeps_the_contract" {
  assert {
    condition     = output.broker_endpoint == "127.0.0.1:18883"
    error_message = "the endpoint is not that of the broker"
  }

  assert {
    condition     = keys(output.devices) == ["plant-1", "plant-2"]
    error_message = "not one entry for each device"
  }

  assert {
    condition = alltrue([
      for device in values(output.devices) : keys(device) == ["client_id", "credential_ref", "topic_prefix"]
    ])
    error_message = "a device tells something else than the contract says"
  }

  assert {
    condition     = output.ca_ref == "local:greenhouse/ca" && output.telemetry_sink == "local:greenhouse/ingest"
    error_message = "a reference does not name the stack"
  }

  assert {
    condition     = alltrue([for device in benchline_device.this : device.broker == "greenhouse"])
    error_message = "a device is not one of the broker"
  }
}

run "needs_no_device" {
  command = plan

  variables {
    devices = {}
  }

  assert {
    condition     = length(benchline_device.this) == 0
    error_message = "a device nobody asked for"
  }
}

run "refuses_a_bad_device_id" {
  command = plan

  variables {
    devices = { "Plant 1" = {} }
  }

  expect_failures = [var.devices]
}

run "refuses_a_newline_in_a_device_id" {
  command = plan

  variables {
    devices = { "plant\n1" = {} }
  }

  expect_failures = [var.devices]
}

run "refuses_a_bad_name" {
  command = plan

  variables {
    stack = "green house"
  }

  expect_failures = [var.stack]
}
