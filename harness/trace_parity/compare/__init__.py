"""Two traces side by side: aligned, covered, judged."""
