"""Everything for a developer's machine: never deployed, and nothing deployed imports it."""
