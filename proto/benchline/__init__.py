"""The contract between the programs: wire messages, errors, names and the scenario language."""
