"""Real servers behind OpenAI's interface: started with a design's settings, loaded with requests, and measured."""
