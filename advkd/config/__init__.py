"""Configuration: words and YAML files in, a checked and hashable `Run` out."""
