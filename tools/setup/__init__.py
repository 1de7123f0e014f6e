"""What ./test and ./run do to a machine before the real work starts.

Standard library only, for a machine that has nothing yet. It must not import virtproto.

============  ==============================================================================
progress      lines that tell what is being done, with the seconds gone
debian        Debian packages: which are missing, installing them without starting a service
environment   the virtual environment in .venv
checks        the static checks and the suites, one after the other
============  ==============================================================================
"""
