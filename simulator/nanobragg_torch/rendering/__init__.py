"""Images and traces: the stages put together for blocks of pixels."""
