"""Pure planning: prompts become intents, intents become designs, designs become scenarios."""
