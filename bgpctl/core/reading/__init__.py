"""Text and documents that others wrote, read into typed values: hostile until parsed."""
