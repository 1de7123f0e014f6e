"""Tests of the generated messages, each against the reference codec."""
