"""The emulated Pi: a Debian machine under QEMU in which the installed daemon runs as its systemd unit."""
