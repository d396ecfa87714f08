"""Networks from the Hugging Face hub, and students pushed to it."""
