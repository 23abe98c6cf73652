"""Lines and plans shared by the interoperability scripts of this folder.

A plan is a JSON object that says where to connect, how to associate and which
steps to take; README.md beside this file describes it. Every step prints one
JSON line, and a step whose answer differs from its "expect" makes the script
leave with status 1, so a caller needs to look at nothing but the status.

The scripts run as separate processes; nothing of the libraries they drive is
linked into, or copied to, this module.
"""

import json
import socket
import sys
import time
from urllib.parse import parse_qs, urlparse


class LineTimeout(Exception):
    """The peer did not answer in time."""


class TCPLine:
    def __init__(self, host, port, timeout):
        self.sock = socket.create_connection((host, port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(timeout)

    def send(self, data):
        self.sock.sendall(bytes(data))

    def recv(self):
        try:
            data = self.sock.recv(65536)
        except TimeoutError as err:
            raise LineTimeout("no answer in time") from err
        if not data:
            raise ConnectionError("the peer closed the connection")
        return data

    def close(self):
        self.sock.close()


class UDPLine(TCPLine):
    def __init__(self, host, port, timeout):  # pylint: disable=super-init-not-called
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect((host, port))
        self.sock.settimeout(timeout)

    def send(self, data):
        self.sock.send(bytes(data))


class SerialLine:
    def __init__(self, path, baud, timeout):
        import serial  # only where a serial line is asked for

        self.port = serial.Serial(path, baud, bytesize=8, parity="N", stopbits=1, timeout=0.05)
        self.timeout = timeout

    def send(self, data):
        self.port.write(bytes(data))

    def recv(self):
        end = time.monotonic() + self.timeout
        while time.monotonic() < end:
            data = self.port.read(max(1, self.port.in_waiting))
            if data:
                return data
        raise LineTimeout("no answer in time")

    def close(self):
        self.port.close()


class GuruxLine:
    """A serial line of gurux-serial."""

    def __init__(self, path, baud, timeout):
        from gurux_common.io import BaudRate, Parity, StopBits
        from gurux_common.ReceiveParameters import ReceiveParameters
        from gurux_serial import GXSerial
        from gurux_serial._handlers.GXLinuxHandler import GXLinuxHandler

        # A pty has no control lines, and the library does not open a port without.
        GXLinuxHandler.setDtrEnable = lambda self, value: None
        GXLinuxHandler.setRtsEnable = lambda self, value: None
        self.parameters = ReceiveParameters
        self.timeout = timeout
        self.media = GXSerial(path)
        self.media.baudRate = BaudRate(baud)
        self.media.dataBits = 8
        self.media.parity = Parity.NONE
        self.media.stopBits = StopBits.ONE
        self.media.open()

    def receive(self, eop, count):
        p = self.parameters()
        p.eop, p.count, p.waitTime = eop, count, int(self.timeout * 1000)
        if not self.media.receive(p):
            raise LineTimeout("no answer in time")
        return bytes(p.reply)

    def send(self, data):
        with self.media.getSynchronous():
            self.media.send(bytes(data))

    def recv(self):
        with self.media.getSynchronous():
            return self.receive(None, 1)

    def close(self):
        self.media.close()


def open_line(target, timeout):
    """Opens tcp://host:port, udp://host:port or serial:///dev/name?baud=9600; with media=gurux over gurux-serial."""
    url = urlparse(target)
    if url.scheme == "tcp":
        return TCPLine(url.hostname, url.port or 4059, timeout)
    if url.scheme == "udp":
        return UDPLine(url.hostname, url.port or 4059, timeout)
    if url.scheme == "serial":
        query = parse_qs(url.query)
        baud = int(query.get("baud", ["9600"])[0])
        if query.get("media") == ["gurux"]:
            return GuruxLine(url.path, baud, timeout)
        return SerialLine(url.path, baud, timeout)
    raise ValueError(f"target {target!r}: want tcp://, udp:// or serial://")


def load_plan(argv):
    """Reads the plan named on the command line; - or nothing is standard input."""
    name = argv[1] if len(argv) > 1 else "-"
    if name == "-":
        plan = json.load(sys.stdin)
    else:
        with open(name, encoding="utf-8") as file:
            plan = json.load(file)
    for pair in argv[2:]:
        key, _, value = pair.partition("=")
        try:
            plan[key] = json.loads(value)
        except json.JSONDecodeError:
            plan[key] = value
    return plan


def hex_or_none(text):
    return bytes.fromhex(text) if text is not None else None


def emit(**fields):
    print(json.dumps(fields, sort_keys=True), flush=True)


def same(want, got):
    """Compares what was expected with what came; a number within a list, too."""
    if isinstance(want, dict) and isinstance(got, dict):
        return all(key in got and same(value, got[key]) for key, value in want.items())
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(same(w, g) for w, g in zip(want, got))
    return want == got


def run_steps(plan, do):
    """Takes each step of the plan with do(step) -> value; returns the exit status."""
    failed = 0
    for number, step in enumerate(plan.get("steps", []), 1):
        try:
            value = do(step)
        except Exception as err:  # pylint: disable=broad-except
            wanted = step.get("expect_error")
            ok = wanted is not None and wanted in f"{type(err).__name__}: {err}"
            emit(step=number, do=step["do"], ok=ok, error=f"{type(err).__name__}: {err}")
            failed += not ok
            if not ok and step.get("fatal", True):
                break
            continue
        ok = "expect_error" not in step and ("expect" not in step or same(step["expect"], value))
        line = {"step": number, "do": step["do"], "ok": ok, "value": value}
        if not ok and "expect" in step:
            line["expect"] = step["expect"]
        emit(**line)
        failed += not ok
    return 1 if failed else 0
