"""L6: findings, models and conversions as text, JSON and Markdown."""
