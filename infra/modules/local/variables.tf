variable "stack" {
  description = "Name of the stack."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,38}$", var.stack))
    error_message = "A stack's name has 1 to 39 lower-case letters, digits and dashes, no dash first."
  }
}

variable "devices" {
  description = "The devices of the stack by their id."
  type        = map(object({}))
  nullable    = false
  default     = {}

  validation {
    condition     = alltrue([for id in keys(var.devices) : can(regex("^[a-z0-9][a-z0-9-]{0,62}$", id))])
    error_message = "A device id has 1 to 63 lower-case letters, digits and dashes, no dash first."
  }
}

variable "port" {
  description = "TCP port of the broker on 127.0.0.1, from 1024. Without it a free one is taken and kept."
  type        = number
  default     = null
}
