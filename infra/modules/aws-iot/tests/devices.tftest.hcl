# What the module makes, without an account: terraform test

mock_provider "aws" {
  mock_data "aws_iot_endpoint" {
    defaults = { endpoint_address = "abc-ats.iot.eu-central-1.amazonaws.com" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }

  mock_resource "aws_dynamodb_table" {
    defaults = { arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/mock" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mock" }
  }

  mock_resource "aws_iot_certificate" {
    defaults = { arn = "arn:aws:iot:eu-central-1:123456789012:cert/mock" }
  }
}

variables {
  stack  = "lab"
  region = "eu-central-1"
  devices = {
    plant-1 = { csr_pem = "-----BEGIN CERTIFICATE REQUEST-----" }
    plant-2 = { csr_pem = "-----BEGIN CERTIFICATE REQUEST-----" }
  }
}

run "each_device_is_a_thing_of_its_own" {
  command = apply

  assert {
    condition     = toset([for thing in aws_iot_thing.device : thing.name]) == toset(["lab_plant-1", "lab_plant-2"])
    error_message = "things are named by stack and device"
  }

  assert {
    condition     = length(aws_iot_thing_principal_attachment.device) == 2 && length(aws_iot_policy_attachment.device) == 2
    error_message = "each thing has its certificate and the policy"
  }

  assert {
    condition     = output.broker_endpoint == "abc-ats.iot.eu-central-1.amazonaws.com:8883"
    error_message = output.broker_endpoint
  }

  assert {
    condition     = output.devices["plant-1"].topic_prefix == "benchline/lab/lab_plant-1"
    error_message = output.devices["plant-1"].topic_prefix
  }

  assert {
    condition     = output.devices["plant-1"].credential_ref == "custody:lab/plant-1"
    error_message = "credentials are named, not given"
  }
}

run "a_device_may_speak_for_itself_only" {
  command = apply

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iot_policy.device.policy).Statement : [
        for resource in statement.Resource : strcontains(resource, "$${iot:Connection.Thing.ThingName}")
      ]
    ]))
    error_message = "every resource of the policy is bound to the thing that connects"
  }

  assert {
    condition     = !strcontains(aws_iot_policy.device.policy, "iot:*")
    error_message = "no wildcard action"
  }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.telemetry[0].policy).Statement : [
        for resource in statement.Resource : resource != "*"
      ]
    ]))
    error_message = "the rule writes to its own table only"
  }
}

run "no_sink_no_rule" {
  command = plan

  variables {
    telemetry = "none"
  }

  assert {
    condition     = length(aws_iot_topic_rule.telemetry) == 0 && length(aws_iam_role.telemetry) == 0
    error_message = "without a sink there is no rule and no role"
  }

  assert {
    condition     = output.telemetry_sink == ""
    error_message = output.telemetry_sink
  }
}

run "both_sinks" {
  command = apply

  variables {
    telemetry = "both"
  }

  assert {
    condition     = length(aws_iot_topic_rule.telemetry[0].dynamodbv2) == 1 && length(aws_iot_topic_rule.telemetry[0].s3) == 1
    error_message = "the rule feeds both"
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.telemetry[0].restrict_public_buckets
    error_message = "the bucket is private"
  }

  assert {
    condition     = aws_iot_topic_rule.telemetry[0].name == "benchline_lab_telemetry"
    error_message = "a rule's name has no hyphen"
  }
}

run "a_claim_certificate_can_only_register" {
  command = apply

  variables {
    fleet_provisioning = true
  }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iot_policy.claim[0].policy).Statement : [
        for resource in statement.Resource :
        strcontains(resource, "$aws/certificates/create-from-csr/") ||
        strcontains(resource, "$aws/provisioning-templates/benchline-lab/provision/") ||
        strcontains(resource, ":client/lab-claim-")
      ]
    ]))
    error_message = "the claim policy reaches nothing else"
  }
}

run "a_bad_device_id_is_refused" {
  command = plan

  variables {
    devices = { "two\nlines" = { csr_pem = "-----BEGIN CERTIFICATE REQUEST-----" } }
  }

  expect_failures = [var.devices]
}

run "a_key_is_refused" {
  command = plan

  variables {
    devices = { plant-1 = { csr_pem = "-----BEGIN EC PRIVATE KEY-----" } }
  }

  expect_failures = [var.devices]
}
