"""Making models. So far: closed-form fits, which need no optimiser and no GPU."""
