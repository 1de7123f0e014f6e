"""Roads along a program that carries bytes, ssh first of all."""
