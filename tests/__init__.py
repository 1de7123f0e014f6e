"""The test suites; they mirror the tree of the project, file for file."""
