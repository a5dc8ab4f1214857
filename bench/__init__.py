"""What watching costs: ``make bench``, or ``python -m bench [part …]``."""
