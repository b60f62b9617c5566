"""`scripts/deploy-check`: whether template, configuration and package fit together. Offline: asks AWS nothing."""
