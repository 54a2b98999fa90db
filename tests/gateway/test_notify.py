"""sd_notify over a real datagram socket, and silence without one."""

import socket

from gateway.notify import Notifier


def test_messages_reach_the_socket(tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        notifier = Notifier({"NOTIFY_SOCKET": path})
        notifier.ready("3 devices")
        notifier.alive()
        notifier.stopping()
        got = [listener.recv(200).decode() for _ in range(3)]
        notifier.close()
    assert got[:2] == ["READY=1\nSTATUS=3 devices", "WATCHDOG=1"]
    assert got[2].startswith("STOPPING=1")


def test_an_abstract_socket_is_understood():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0gridseal-test-notify")
        notifier = Notifier({"NOTIFY_SOCKET": "@gridseal-test-notify"})
        notifier.alive()
        assert listener.recv(100) == b"WATCHDOG=1"
        notifier.close()


def test_without_systemd_or_with_it_gone_nothing_happens(tmp_path):
    for environ in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        notifier = Notifier(environ)
        assert notifier.alive() is None
        notifier.close()
