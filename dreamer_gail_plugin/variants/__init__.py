"""What goes beyond the paper: variants of the agent and what they need."""
