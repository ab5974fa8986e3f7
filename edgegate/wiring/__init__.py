"""The wiring picture: drawn from the configuration, so that it shows the pins that this gate really uses."""
