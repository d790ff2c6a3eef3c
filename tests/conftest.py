"""For all tests: Ctrl-C works as in a terminal."""

import signal

# A shell that starts the tests in the background has interrupts ignored, by them and by the programs that they start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
