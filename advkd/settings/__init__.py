"""Settings: on what a method is trained and judged, one YAML file each."""
