"""The claims of the published evaluation, and the verdict on each."""
