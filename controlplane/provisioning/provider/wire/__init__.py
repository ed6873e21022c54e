"""Generated from the .proto files beside it by `make proto`; private to the provider."""
