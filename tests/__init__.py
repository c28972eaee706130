"""The tests, in the folders of the modules that they test."""
