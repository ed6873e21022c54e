"""Faults of the control plane itself: logged in full, told without what they say."""

import logging
import uuid


def log_incident(log: logging.Logger, error: Exception, what: str, **where: str) -> str:
    """Log an exception that nobody expected; the sentence by which people can name it."""
    incident = uuid.uuid4().hex[:8]
    log.error(what, exc_info=error, extra={"incident": incident, **where})
    return f"internal error, incident {incident}; the control plane's log has it"
