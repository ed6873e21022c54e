"""Sentences that work: the demonstration and the examples."""

DEMO_PROMPT = (
    "Blink the on-board LED at 2 Hz and report the temperature every second; switch a relay on "
    "above 30 C and off below 28 C; answer 'status' with the last temperature."
)

DEMO_BOARDS = ("", "esp32-c3-devkitm-1")
"""Board wishes of the demonstration, one run each: the default, and one of the other family."""

EXAMPLES = (
    "Blink the on-board LED at 2 Hz.",
    "Report the temperature every second.",
    "Count button presses with 20 ms debounce and print the count on every press.",
    "Switch a relay on above 30 C and off below 28 C.",
    "Answer 'status' with the last temperature.",
    DEMO_PROMPT,
)
