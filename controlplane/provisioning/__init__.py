"""Terraform as a child: found, called in a clean room, listened to, and ended in good order."""
