"""A ninth vendor as a newcomer would add it: a module, a folder, a line in the registry."""
