"""Brings boards back that fell out of step, and proves that they work again."""
