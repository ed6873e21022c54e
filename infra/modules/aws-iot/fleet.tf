# Devices that leave a production line with a claim certificate ask for one of their own.

resource "aws_iam_role" "fleet" {
  count = var.fleet_provisioning ? 1 : 0

  name = "${local.name}-fleet"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "iot.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.this.account_id } }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "fleet" {
  count = var.fleet_provisioning ? 1 : 0

  role       = aws_iam_role.fleet[0].name
  policy_arn = "arn:${data.aws_partition.this.partition}:iam::aws:policy/service-role/AWSIoTThingsRegistration"
}

resource "aws_iot_provisioning_template" "fleet" {
  count = var.fleet_provisioning ? 1 : 0

  name                  = substr(local.name, 0, 36)
  description           = "Registers a device of the stack ${var.stack} by its serial number"
  enabled               = true
  provisioning_role_arn = aws_iam_role.fleet[0].arn

  template_body = jsonencode({
    Parameters = {
      SerialNumber                = { Type = "String" }
      "AWS::IoT::Certificate::Id" = { Type = "String" }
    }
    Resources = {
      thing = {
        Type = "AWS::IoT::Thing"
        Properties = {
          ThingName   = { "Fn::Join" = ["", ["${var.stack}_", { Ref = "SerialNumber" }]] }
          ThingGroups = [aws_iot_thing_group.devices.name]
        }
      }
      certificate = {
        Type = "AWS::IoT::Certificate"
        Properties = {
          CertificateId = { Ref = "AWS::IoT::Certificate::Id" }
          Status        = "Active"
        }
      }
      policy = {
        Type       = "AWS::IoT::Policy"
        Properties = { PolicyName = aws_iot_policy.device.name }
      }
    }
  })
}

resource "aws_iot_policy" "claim" {
  count = var.fleet_provisioning ? 1 : 0

  name = "${local.name}-claim"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["iot:Connect"]
        Resource = ["${local.iot_arn}:client/${var.stack}-claim-*"]
      },
      {
        Effect = "Allow"
        Action = ["iot:Publish", "iot:Receive"]
        Resource = [
          "${local.iot_arn}:topic/$aws/certificates/create-from-csr/*",
          "${local.iot_arn}:topic/$aws/provisioning-templates/${aws_iot_provisioning_template.fleet[0].name}/provision/*",
        ]
      },
      {
        Effect = "Allow"
        Action = ["iot:Subscribe"]
        Resource = [
          "${local.iot_arn}:topicfilter/$aws/certificates/create-from-csr/*",
          "${local.iot_arn}:topicfilter/$aws/provisioning-templates/${aws_iot_provisioning_template.fleet[0].name}/provision/*",
        ]
      },
    ]
  })
}
