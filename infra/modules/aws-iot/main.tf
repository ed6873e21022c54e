# One thing, certificate and attachment for each device; one policy that lets each speak for itself only.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_iot_endpoint" "this" {
  endpoint_type = "iot:Data-ATS"
}

locals {
  name    = "benchline-${var.stack}"
  iot_arn = "arn:${data.aws_partition.this.partition}:iot:${var.region}:${data.aws_caller_identity.this.account_id}"

  # Things share one namespace in an account: the stack's name keeps two stacks apart. Neither name has a _.
  things   = { for id in keys(var.devices) : id => "${var.stack}_${id}" }
  topics   = "benchline/${var.stack}"
  own      = "${local.topics}/$${iot:Connection.Thing.ThingName}"
  attached = { Bool = { "iot:Connection.Thing.IsAttached" = "true" } }
}

resource "aws_iot_thing_group" "devices" {
  name = local.name
}

resource "aws_iot_thing" "device" {
  for_each = local.things

  name       = each.value
  attributes = { stack = var.stack }
}

resource "aws_iot_thing_group_membership" "device" {
  for_each = aws_iot_thing.device

  thing_name       = each.value.name
  thing_group_name = aws_iot_thing_group.devices.name
}

resource "aws_iot_certificate" "device" {
  for_each = var.devices

  csr    = each.value.csr_pem
  active = true
}

resource "aws_iot_policy" "device" {
  name = "${local.name}-device"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = ["iot:Connect"]
        Resource  = ["${local.iot_arn}:client/$${iot:Connection.Thing.ThingName}"]
        Condition = local.attached
      },
      {
        Effect   = "Allow"
        Action   = ["iot:Publish", "iot:Receive"]
        Resource = ["${local.iot_arn}:topic/${local.own}/*"]
      },
      {
        Effect   = "Allow"
        Action   = ["iot:Subscribe"]
        Resource = ["${local.iot_arn}:topicfilter/${local.own}/*"]
      },
    ]
  })
}

resource "aws_iot_policy_attachment" "device" {
  for_each = aws_iot_certificate.device

  policy = aws_iot_policy.device.name
  target = each.value.arn
}

resource "aws_iot_thing_principal_attachment" "device" {
  for_each = aws_iot_certificate.device

  thing     = aws_iot_thing.device[each.key].name
  principal = each.value.arn
}
