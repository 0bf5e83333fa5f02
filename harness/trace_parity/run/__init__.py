"""Running both programs and comparing their output."""
