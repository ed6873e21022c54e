"""Findings of the validator, written down in one line each."""

from controlplane.domain.finding import Finding, Severity
from controlplane.planning.rules import RULES


def complaint(code: str, subject: str, message: str, fix: str) -> Finding:
    """A finding with the severity that the table of rules has for its code."""
    severity = RULES[code].severity
    return Finding(code=code, subject=subject, message=message, fix=fix, severity=severity)


def is_sound(findings: tuple[Finding, ...]) -> bool:
    """Whether findings are warnings at most."""
    return all(finding.severity is not Severity.ERROR for finding in findings)
