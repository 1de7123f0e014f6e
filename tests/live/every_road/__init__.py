"""One suite over every road to a daemon, in both colours.

Responsible for showing that all roads carry the same: what a road is like, and how a daemon gets to
stand at its end, is told in modules of their own, and the suite knows roads by their properties
only.

=============  ====================================================================================
way            Way, one road with a daemon at its end; the list of all roads
scene          what several roads share, made once: daemons, certificates, users
local          roads that do not leave the machine
hosts          TCP and TLS
passwords      SASL, with and without layers of its own
shells         programs that carry bytes: ssh, ext, and SSH spoken by this process
test_smoke     the suite
=============  ====================================================================================
"""
