"""What is kept in Redis: names of keys, values, and each script with its keys, arguments and answers.

Adapters in the processes run the scripts; nothing here does I/O.
"""
