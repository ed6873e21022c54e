"""Skill sheets: what somebody who knows a board, framework or component would say beforehand."""
