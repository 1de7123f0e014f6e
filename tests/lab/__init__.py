"""The lab: real libvirt daemons of several releases, started and stopped by the tests.

It is responsible for having daemons, guests, captures and the C binding at hand, and must not know
virtproto: what the tests compare with has to stand on its own feet. Certificates are the exception:
that daemons take them is what shows them to be right. It uses the standard library, but for one SSH
server, and never touches the machine's own libvirt, its sockets, its network or its guests.

==================  ==========================================================================
place               where the lab keeps what it made once, and how it says that it is missing
apt                 Debian packages of other releases, from the mirror that this machine uses
roots               folders with another release's libvirtd unpacked, never installed
warden              the process above one daemon: mounts, starts, and cleans up after it
daemon              PrivateDaemon, one libvirtd of a test's own
rawcall             one RPC call spelled by hand, to ask a daemon whether it is ready
guests              a tiny guest: its boot disk and its domain XML
guest_image         the files that a Linux guest boots from, made once of Debian packages
linux_guest         the Linux guest: its disk, its domain XML, and waiting until it is up
running             a Linux guest that runs, its agent answering, and is cleared away
migration           two daemons between which such a guest can move
seed                what QEMU can do, asked once and kept
prepare             all of the above brought into being, with progress lines
ports               ports of the loopback device that nobody uses
polkit              a bus, a polkitd and rules for one daemon
pki                 a CA with good certificates and bad ones, made by the project's own command
sasl                daemons that want a password, and their users
sshd                a host with an SSH server, whose daemon is one of the lab
ssh_passwords       an SSH server that takes passwords
kdc                 a Kerberos realm with its KDC, users and services
cyrus               SASL's server side by the library that daemons have it from
relay               a byte relay from a unix socket to a daemon, over TCP on the loopback device
capture             a relayed conversation recorded and decoded by Wireshark
c_binding           questions to Debian's python3-libvirt
c_binding_process   the program that answers them
stream_feed         bytes and holes for a stream
fixtures            the pytest fixtures that hand these out
==================  ==========================================================================
"""
