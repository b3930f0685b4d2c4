"""The providers whose shapes provider.py has, one file each; `answer(call)` is what one says."""
