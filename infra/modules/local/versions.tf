terraform {
  required_version = ">= 1.5"

  required_providers {
    # Served by the control plane itself; no registry has it.
    benchline = {
      source = "benchline.local/benchline/benchline"
    }
  }
}
