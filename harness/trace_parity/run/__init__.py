"""Running both programs and comparing what they leave."""
