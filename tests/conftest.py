"""Settings of every test."""

import signal

from hypothesis import HealthCheck, settings

# A shell's background job ignores these two (bash(1), "Signals"), and what tests start would, too.
for number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

# Other tests keep the processors busy meanwhile: that an example took long says nothing about it.
settings.register_profile("beside-others", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("beside-others")
