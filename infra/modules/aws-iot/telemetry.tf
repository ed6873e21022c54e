# What devices publish is kept in a table, in a bucket, in both or nowhere.

locals {
  to_table  = contains(["dynamodb", "both"], var.telemetry)
  to_bucket = contains(["s3", "both"], var.telemetry)
  kept      = local.to_table || local.to_bucket

  # A payload need not be JSON, so it travels encoded.
  columns = join(", ", [
    "encode(*, 'base64') AS payload_base64",
    "topic(3) AS thing",
    "topic() AS topic",
    "timestamp() AS received_ms",
    "floor(timestamp() / 1000) + ${var.telemetry_days * 86400} AS expires_s",
  ])
}

resource "aws_dynamodb_table" "telemetry" {
  count = local.to_table ? 1 : 0

  name         = "${local.name}-telemetry"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "thing"
  range_key    = "received_ms"

  attribute {
    name = "thing"
    type = "S"
  }

  attribute {
    name = "received_ms"
    type = "N"
  }

  ttl {
    attribute_name = "expires_s"
    enabled        = true
  }
}

resource "aws_s3_bucket" "telemetry" {
  count = local.to_bucket ? 1 : 0

  # Bucket names are shared by all accounts of the world: the account's number makes this one ours.
  bucket        = "${substr(local.name, 0, 42)}-t-${data.aws_caller_identity.this.account_id}"
  force_destroy = !var.keep_telemetry
}

resource "aws_s3_bucket_public_access_block" "telemetry" {
  count = local.to_bucket ? 1 : 0

  bucket                  = aws_s3_bucket.telemetry[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "telemetry" {
  count = local.to_bucket ? 1 : 0

  bucket = aws_s3_bucket.telemetry[0].id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.telemetry_days
    }
  }
}

resource "aws_iam_role" "telemetry" {
  count = local.kept ? 1 : 0

  name = "${local.name}-telemetry"

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

resource "aws_iam_role_policy" "telemetry" {
  count = local.kept ? 1 : 0

  name = "write"
  role = aws_iam_role.telemetry[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for table in aws_dynamodb_table.telemetry : {
        Effect   = "Allow"
        Action   = ["dynamodb:PutItem"]
        Resource = [table.arn]
      }],
      [for bucket in aws_s3_bucket.telemetry : {
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = ["${bucket.arn}/*"]
      }],
    )
  })
}

resource "aws_iot_topic_rule" "telemetry" {
  count = local.kept ? 1 : 0

  # A rule's name has no hyphen.
  name        = replace("${local.name}_telemetry", "-", "_")
  enabled     = true
  sql         = "SELECT ${local.columns} FROM '${local.topics}/+/#'"
  sql_version = "2016-03-23"

  dynamic "dynamodbv2" {
    for_each = aws_dynamodb_table.telemetry

    content {
      role_arn = aws_iam_role.telemetry[0].arn

      put_item {
        table_name = dynamodbv2.value.name
      }
    }
  }

  dynamic "s3" {
    for_each = aws_s3_bucket.telemetry

    content {
      role_arn    = aws_iam_role.telemetry[0].arn
      bucket_name = s3.value.bucket
      key         = "$${topic(3)}/$${timestamp()}-$${newuuid()}.json"
    }
  }

  # Without the right to write, messages that came in between would be lost.
  depends_on = [aws_iam_role_policy.telemetry]
}
