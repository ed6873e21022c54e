"""Sentences that work: the demonstration and the examples."""

DEMO_PROMPT = (
    "Blink the on-board LED at 2 Hz and report the temperature every second; switch a relay on "
    "above 30 C and off below 28 C; answer 'status' with the last temperature."
)

EXAMPLES = (
    "Blink the on-board LED at 2 Hz.",
    "Report the temperature every second.",
    "Count button presses with 20 ms debounce and print the count on every press.",
    "Switch a relay on above 30 C and off below 28 C.",
    "Answer 'status' with the last temperature.",
    DEMO_PROMPT,
)
