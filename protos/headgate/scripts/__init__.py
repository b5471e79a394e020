"""The Lua scripts of the protocol, one per file, and what reads them.

`*.lua` are scripts, `include/*.lua` functions that several of them share. A script begins with a header of names; see
`loader`, which makes the text that Redis gets.
"""
