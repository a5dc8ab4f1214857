"""The link between a training loop and a widget; it knows no mathematics of models."""
