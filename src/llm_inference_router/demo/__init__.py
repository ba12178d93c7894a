"""The demo: prompts of our own, driven through the real HTTP API of a router whose models are simulated."""
