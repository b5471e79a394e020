"""The rules of EnOS flows: trigger or cancel one, and follow it."""
