"""``make bench``: figures and ratios, printed; nothing here passes or fails."""
