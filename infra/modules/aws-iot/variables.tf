variable "stack" {
  description = "Name of the stack. It begins the name of everything that is made."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,38}$", var.stack))
    error_message = "A stack is named with up to 39 of a-z, 0-9 and -."
  }
}

variable "devices" {
  description = "Devices by id. csr_pem is a PKCS#10 request: the private key is made, and stays, with Benchline."
  type        = map(object({ csr_pem = string }))

  validation {
    condition     = alltrue([for id in keys(var.devices) : can(regex("^[a-z0-9][a-z0-9-]{0,62}$", id))])
    error_message = "A device id has up to 63 of a-z, 0-9 and -, and begins with a letter or a digit."
  }

  validation {
    condition = alltrue([
      for device in values(var.devices) : startswith(device.csr_pem, "-----BEGIN CERTIFICATE REQUEST-----")
    ])
    error_message = "csr_pem is a certificate request in PEM, never a key."
  }
}

variable "region" {
  description = "Region of AWS, e.g. eu-central-1."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region is spelled like eu-central-1."
  }
}

variable "telemetry" {
  description = "Where telemetry is kept: none, dynamodb, s3 or both."
  type        = string
  default     = "dynamodb"

  validation {
    condition     = contains(["none", "dynamodb", "s3", "both"], var.telemetry)
    error_message = "telemetry is one of none, dynamodb, s3, both."
  }
}

variable "telemetry_days" {
  description = "Days after which stored telemetry expires."
  type        = number
  default     = 30

  validation {
    condition     = var.telemetry_days >= 1 && var.telemetry_days <= 3650 && floor(var.telemetry_days) == var.telemetry_days
    error_message = "telemetry_days is a whole number from 1 to 3650."
  }
}

variable "keep_telemetry" {
  description = "Whether a destroy must stop at a bucket that still holds telemetry. The table goes in any case."
  type        = bool
  default     = false
}

variable "fleet_provisioning" {
  description = "Whether to make a template by which devices with a claim certificate register themselves."
  type        = bool
  default     = false
}
