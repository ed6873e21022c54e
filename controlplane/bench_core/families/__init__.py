"""The ports of the bench core, one module a family of parts."""
