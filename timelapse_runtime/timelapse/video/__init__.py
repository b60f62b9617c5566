"""Photos in, fragments of video out. The only place that knows libav."""
