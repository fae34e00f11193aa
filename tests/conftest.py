"""Settings of every test."""

from hypothesis import HealthCheck, settings

# Other tests keep the processors busy meanwhile: that an example took long says nothing about it.
settings.register_profile("beside-others", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("beside-others")
