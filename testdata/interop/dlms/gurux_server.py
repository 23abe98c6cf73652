#!/usr/bin/env python3
"""A small meter on the DLMS server of gurux-dlms, for our client to read.

    gurux_server.py [--hdlc] [--port 0] [--max-pdu 1024] ...

Prints one JSON line with the port once it listens, and serves one connection
at a time until it is killed or standard input closes: a server object of this
library holds one session only (a second connection would share its state).

Clients by SAP: 16 no security; 17 LLS "Gurux"; 18 HLS 2 "Gurux";
1 HLS 5, which with --guek also ciphers (suite 0).

Objects: clock 0-0:1.0.0, name 0-0:42.0.0, client counter 0-0:43.1.0,
register 1-0:1.8.0 (123456 Wh), data 0-0:96.1.0 (a serial number, can be
written), data 0-0:96.2.0 (600 octets, for block transfer) and the profile
1-0:99.1.0 (clock and register, 48 half hours from 2024-06-01 00:00 UTC).
"""

import argparse
import datetime
import os
import socket
import sys
import threading
import traceback

from gurux_dlms import GXDateTime
from gurux_dlms._GXAPDU import _GXAPDU
from gurux_dlms.enums import (
    AccessMode,
    Authentication,
    Command,
    Conformance,
    DataType,
    ErrorCode,
    InterfaceType,
    MethodAccessMode,
    ObjectType,
    SourceDiagnostic,
    Unit,
)
from gurux_dlms.AesGcmParameter import AesGcmParameter
from gurux_dlms.ConnectionState import ConnectionState
from gurux_dlms.GXCiphering import GXCiphering
from gurux_dlms.GXDLMS import GXDLMS
from gurux_dlms.GXDLMSLNParameters import GXDLMSLNParameters
from gurux_dlms.GXDLMSLongTransaction import GXDLMSLongTransaction
from gurux_dlms.GXHdlcSettings import GXHdlcSettings
from gurux_dlms.GXServerReply import GXServerReply
from gurux_dlms.GXSecure import GXSecure
from gurux_dlms.objects.enums import AssociationStatus
from gurux_dlms.objects import (
    GXDLMSAssociationLogicalName,
    GXDLMSCaptureObject,
    GXDLMSClock,
    GXDLMSData,
    GXDLMSProfileGeneric,
    GXDLMSRegister,
)
from gurux_dlms.secure import GXDLMSSecureServer
from gurux_dlms.ValueEventArgs import ValueEventArgs

from common import emit

FIRST = datetime.datetime(2024, 6, 1, tzinfo=datetime.timezone.utc)
AUTHENTICATION = {
    16: Authentication.NONE,
    17: Authentication.LOW,
    18: Authentication.HIGH,
    1: Authentication.HIGH_GMAC,
}


# The server half of 1.0.203 is a port that nobody has finished: it calls
# accessors that its own classes do not have. They are added here.
ValueEventArgs.isSkipMaxPduSize = lambda self: self.skipMaxPduSize
GXHdlcSettings.update = lambda self, other: self.__dict__.update(vars(other))
GXDLMSLNParameters.isMultipleBlocks = lambda self: self.multipleBlocks
ValueEventArgs.__iter__ = lambda self: iter((self,))
GXDLMSLongTransaction.setData = lambda self, value: setattr(self, "data", value)
GXDLMSLNParameters.setStatus = lambda self, value: setattr(self, "status", value)


class Association(GXDLMSAssociationLogicalName):
    """The association, with pass 3 and 4 of HLS: the library's takes octets for a number."""

    def getAssociationStatus(self):
        return self.associationStatus

    def invoke(self, settings, e):
        if e.index != 1:
            return super().invoke(settings, e)
        answer = bytes(e.parameters)
        gmac = settings.authentication == Authentication.HIGH_GMAC
        counter = int.from_bytes(answer[1:5], "big") if gmac else 0
        secret = settings.sourceSystemTitle if gmac else self.secret
        want = GXSecure.secure(settings, settings.cipher, counter, settings.stoCChallenge, secret)
        if bytes(want) != answer:
            e.error = ErrorCode.READ_WRITE_DENIED
            return None
        self.associationStatus = AssociationStatus.ASSOCIATED
        settings.connected = settings.connected | ConnectionState.DLMS
        counter = 0
        if gmac:
            secret = settings.cipher.systemTitle
            counter = settings.cipher.invocationCounter
            settings.cipher.invocationCounter = counter + 1
        return GXSecure.secure(settings, settings.cipher, counter, settings.ctoSChallenge, secret)


class LoadProfile(GXDLMSProfileGeneric):
    """A profile that selects its own rows, because the library's selection compares wrongly."""

    def getValue(self, settings, e):
        if e.index != 2:
            return super().getValue(settings, e)
        rows = self.buffer
        if e.selector == 1:
            first, last = (moment(e.parameters[i]) for i in (1, 2))
            rows = [row for row in rows if first <= row[0].value <= last]
        elif e.selector == 2:
            first, last = int(e.parameters[0]), int(e.parameters[1])
            rows = rows[max(first, 1) - 1 : last or None]
        data = bytearray([DataType.ARRAY])
        data += bytes([len(rows)]) if len(rows) < 128 else bytes([0x81, len(rows)])
        for at, value in rows:
            data += bytes([DataType.STRUCTURE, 2, DataType.OCTET_STRING, 12])
            data += date_time(at.value)
            data += bytes([DataType.UINT32]) + value.to_bytes(4, "big")
        e.byteArray = True
        return data


def date_time(at):
    """COSEM date-time of a moment in UTC: deviation 0, status good."""
    return at.year.to_bytes(2, "big") + bytes(
        [at.month, at.day, at.isoweekday(), at.hour, at.minute, at.second, 0, 0, 0, 0]
    )


def moment(octets):
    octets = bytes(octets)
    at = datetime.datetime(octets[0] << 8 | octets[1], octets[2], octets[3], octets[5], octets[6], octets[7])
    deviation = int.from_bytes(octets[9:11], "big", signed=True)
    if deviation != -0x8000:
        at += datetime.timedelta(minutes=deviation)
    return at.replace(tzinfo=datetime.timezone.utc)


def generate_aare(settings, data, result, diagnostic, cipher, error, _encrypted):
    """The AARE, in place of the library's, which cannot write a system title.

    What is inside, the initiate response and its ciphering, stays the library's.
    """

    def tlv(tag, *parts):
        content = b"".join(bytes(part) for part in parts)
        return bytes([tag, len(content)]) + content

    ciphered = cipher and cipher.isCiphered()
    hls = settings.authentication > Authentication.LOW
    oid = bytes.fromhex("60857405 0801") + bytes([3 if ciphered else 1])
    parts = [
        tlv(0xA1, tlv(0x06, oid)),
        tlv(0xA2, tlv(0x02, [int(result)])),
        tlv(0xA3, tlv(0xA1, tlv(0x02, [int(diagnostic)]))),
    ]
    if cipher and (ciphered or settings.authentication == Authentication.HIGH_GMAC):
        parts.append(tlv(0xA4, tlv(0x04, cipher.systemTitle)))
    if hls:
        parts.append(bytes.fromhex("88020780"))
        parts.append(tlv(0x89, bytes.fromhex("60857405 0802"), [int(settings.authentication)]))
        parts.append(tlv(0xAA, tlv(0x80, settings.stoCChallenge)))
    if error:
        parts.append(tlv(0xBE, tlv(0x04, error.array())))
    elif result == 0:
        parts.append(tlv(0xBE, tlv(0x04, _GXAPDU.getUserInformation(settings, cipher))))
    data.set(tlv(0x61, *parts))


_GXAPDU.generateAARE = generate_aare


def open_ciphered(settings, data):
    """Deciphers a glo- or ded- request, in place of a method that mixes up its arguments."""
    data.data.position = data.data.position - 1
    cipher = settings.cipher
    established = (settings.connected & ConnectionState.DLMS) != 0
    key = cipher.dedicatedKey if cipher.dedicatedKey and established else cipher.blockCipherKey
    parameter = AesGcmParameter(0, settings.sourceSystemTitle, key, cipher.authenticationKey)
    request = GXCiphering.decrypt(settings, parameter, data.data)
    data.data.clear()
    data.data.set(request)
    data.command = Command(data.data.getUInt8())


GXDLMS.handleGloDedRequest = open_ciphered


class HDLCLimits:
    """What the SNRM handler reads, under both families of names it uses."""

    maxInfoTX = maxInfoRX = maximumInfoLengthReceive = maximumInfoLengthTransmit = 128
    windowSizeTX = windowSizeRX = windowSizeReceive = windowSizeTransmit = 1
    inactivityTimeout = 0


class Reply(GXServerReply):
    """GXServerReply with the accessors that the server asks of it but 1.0.203 lacks."""

    def setReply(self, value):
        self.reply = value

    def getConnectionInfo(self):
        return self.connectionInfo

    def setCount(self, value):
        self.count = value

    def getCount(self):
        return self.count


class Meter(GXDLMSSecureServer):
    def __init__(self, args):
        association = Association()
        kind = InterfaceType.HDLC if args.hdlc else InterfaceType.WRAPPER
        super().__init__(association, kind)
        self.args = args
        self.trace = args.trace
        if args.hdlc:
            self.hdlc = HDLCLimits()
        # The property maxReceivePDUSize calls itself without end (1.0.203).
        self.settings.maxServerPDUSize = args.max_pdu
        self.settings.gbtWndowSize = 1
        self.settings.setConnected = lambda value: setattr(self.settings, "connected", value)
        self.secret = args.secret.encode()
        self.cipher_up(1)
        association.secret = self.secret
        if args.without_gbt:
            self.conformance &= ~Conformance.GENERAL_BLOCK_TRANSFER
        self.clock = GXDLMSClock("0.0.1.0.0.255")
        self.clock.time = GXDateTime(FIRST)
        name = GXDLMSData("0.0.42.0.0.255")
        name.value = bytearray(b"GRX0000000000001")
        name.setDataType(2, DataType.OCTET_STRING)
        self.counter = GXDLMSData("0.0.43.1.0.255")
        self.counter.value = 100
        self.counter.setDataType(2, DataType.UINT32)
        register = GXDLMSRegister("1.0.1.8.0.255")
        register.value = 123456
        register.scaler = 1
        register.unit = Unit.ACTIVE_ENERGY
        register.setDataType(2, DataType.UINT32)
        serial = GXDLMSData("0.0.96.1.0.255")
        serial.value = bytearray(b"GRX55667788")
        serial.setDataType(2, DataType.OCTET_STRING)
        long = GXDLMSData("0.0.96.2.0.255")
        long.value = bytearray(i & 0xFF for i in range(600))
        long.setDataType(2, DataType.OCTET_STRING)
        profile = LoadProfile("1.0.99.1.0.255")
        profile.capturePeriod = 1800
        profile.profileEntries = 1440
        profile.captureObjects.append((self.clock, GXDLMSCaptureObject(2, 0)))
        profile.captureObjects.append((register, GXDLMSCaptureObject(2, 0)))
        profile.sortObject = self.clock
        for i in range(48):
            at = FIRST + datetime.timedelta(minutes=30 * i)
            profile.buffer.append([GXDateTime(at), 1000 + i])
        profile.entriesInUse = 48
        for obj in (self.clock, name, self.counter, register, serial, long, profile):
            self.items.append(obj)
        self.items.append(association)
        association.objectList = self.items
        self.register = register

    def cipher_up(self, counter):
        if not self.args.guek:
            return
        cipher = GXCiphering(bytes.fromhex(self.args.system_title))
        cipher.blockCipherKey = bytes.fromhex(self.args.guek)
        cipher.authenticationKey = bytes.fromhex(self.args.gak)
        cipher.invocationCounter = counter
        self.settings.cipher = cipher

    def handleCommand(self, cmd, data, sr):
        # The caller swallows what is raised; the client sees a hardware fault.
        try:
            return super().handleCommand(cmd, data, sr)
        except Exception:
            if self.trace:
                traceback.print_exc()
            raise

    # the library's callbacks

    def isTarget(self, serverAddress, clientAddress):
        if serverAddress != 1 or clientAddress not in AUTHENTICATION:
            return False
        return True

    def onFindObject(self, objectType, sn, ln):
        if objectType == ObjectType.ASSOCIATION_LOGICAL_NAME:
            for item in self.items:
                if item.objectType == objectType:
                    return item
        return None

    def onValidateAuthentication(self, authentication, password):
        # The library remembers the client's size only.
        self.settings.maxPduSize = min(self.settings.maxPduSize or 0xFFFF, self.args.max_pdu)
        if authentication != AUTHENTICATION.get(self.settings.clientAddress):
            return SourceDiagnostic.AUTHENTICATION_MECHANISM_NAME_REQUIRED
        if authentication == Authentication.LOW and bytes(password or b"") != self.secret:
            return SourceDiagnostic.AUTHENTICATION_FAILURE
        return SourceDiagnostic.NONE

    def onGetAttributeAccess(self, arg):
        if arg.index == 1:
            return AccessMode.READ
        if isinstance(arg.target, GXDLMSClock) and arg.index == 2:
            return AccessMode.READ_WRITE
        if isinstance(arg.target, GXDLMSData) and arg.target.logicalName == "0.0.96.1.0.255":
            return AccessMode.READ_WRITE
        return AccessMode.READ

    def onGetMethodAccess(self, arg):
        return MethodAccessMode.ACCESS

    # The request handlers of 1.0.203 call these by other names, and with
    # other arguments, than the base class declares.

    def notifyRead(self, *_args):
        pass

    def notifyConnected(self, *_args):
        pass

    def onPreRead(self, *_args):
        pass

    def onPostRead(self, *_args):
        pass

    def onPreWrite(self, *_args):
        pass

    def onPostWrite(self, *_args):
        pass

    def getTransaction(self):
        return self.transaction

    def setTransaction(self, value):
        self.transaction = value

    def onPreAction(self, args):
        for item in args:
            if isinstance(item.target, GXDLMSRegister) and item.index == 1:
                item.target.value = 0
                item.handled = True

    def onPostAction(self, args):
        pass

    def onPreGet(self, args):
        pass

    def onPostGet(self, args):
        pass

    def onConnected(self, connectionInfo):
        pass

    def onDisconnected(self, connectionInfo):
        pass

    def onInvalidConnection(self, connectionInfo):
        pass

    # the line

    def serve(self, connection):
        self.reset()
        self.settings.resetFrameSequence()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = bytearray()
        while True:
            data = connection.recv(65536)
            if not data:
                return
            buffer += data
            for request in self.split(buffer):
                if self.trace:
                    print("<", request.hex().upper(), file=sys.stderr, flush=True)
                reply = Reply(bytearray(request))
                while True:
                    self.handleRequest(reply)
                    if reply.reply:
                        if self.trace:
                            print(">", bytes(reply.reply).hex().upper(), file=sys.stderr, flush=True)
                        connection.sendall(bytes(reply.reply))
                    if not reply.isStreaming():
                        break
                    reply.data = None

    def split(self, buffer):
        """Yields whole frames, because the library loses its step on a part of one."""
        while True:
            if self.args.hdlc:
                while len(buffer) > 1 and buffer[0] == 0x7E and buffer[1] == 0x7E:
                    del buffer[0]
                if len(buffer) < 3:
                    return
                size = ((buffer[1] & 0x07) << 8 | buffer[2]) + 2
            else:
                if len(buffer) < 8:
                    return
                size = 8 + (buffer[6] << 8 | buffer[7])
            if len(buffer) < size:
                return
            yield bytes(buffer[:size])
            del buffer[:size]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--hdlc", action="store_true")
    parser.add_argument("--max-pdu", type=int, default=1024)
    parser.add_argument("--secret", default="Gurux")
    parser.add_argument("--system-title", default="4752580000000001")
    parser.add_argument("--guek")
    parser.add_argument("--gak")
    parser.add_argument("--without-gbt", action="store_true")
    parser.add_argument("--trace", action="store_true", help="frames on standard error")
    args = parser.parse_args()

    def leave_with_parent():
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=leave_with_parent, daemon=True).start()
    meter = Meter(args)
    meter.initialize()
    listener = socket.create_server((args.host, args.port))
    emit(port=listener.getsockname()[1], ok=True)
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                meter.serve(connection)
            except ConnectionError:
                pass
            except Exception as err:  # pylint: disable=broad-except
                traceback.print_exc()
                print(f"gurux_server: {type(err).__name__}: {err}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
