#!/usr/bin/env python3
"""Drives the DLMS client of gurux-dlms along a plan (README.md).

    gurux_client.py PLAN.json [key=value ...]

A key=value pair replaces that key of the plan, for example target=tcp://127.0.0.1:4059.
"""

import datetime
import sys
import time

from gurux_dlms import (
    GXArray,
    GXBitString,
    GXByteBuffer,
    GXDateTime,
    GXDLMSGateway,
    GXReplyData,
    GXStructure,
)
from gurux_dlms.enums import (
    Authentication,
    Conformance,
    DataType,
    InterfaceType,
    ObjectType,
    Security,
)
from gurux_dlms.GXDLMS import GXDLMS
from gurux_dlms.GXDLMSException import GXDLMSException
from gurux_dlms.objects import (
    GXDLMSClock,
    GXDLMSData,
    GXDLMSImageTransfer,
    GXDLMSObject,
    GXDLMSProfileGeneric,
    GXDLMSRegister,
    GXDLMSSecuritySetup,
)
from gurux_dlms.secure import GXDLMSSecureClient

from common import emit, hex_or_none, load_plan, open_line, run_steps

LLC = b"\xe6\xe6\x00"
library_pdu = GXDLMS.getLNPdu


def pdu_behind_gateway(p, reply):
    """Builds a request with the gateway prefix outermost.

    1.0.203 puts the prefix inside the ciphering as soon as a request has data, where no gateway can read it. So the
    library builds the request as if there were no gateway, and the prefix goes before the result.
    """
    gateway = p.settings.gateway
    if not gateway:
        library_pdu(p, reply)
        return
    p.settings.gateway = None
    try:
        library_pdu(p, reply)
    finally:
        p.settings.gateway = gateway
    apdu = bytes(reply.array())
    llc = LLC if apdu.startswith(LLC) else b""
    address = bytes(gateway.physicalDeviceAddress)
    reply.clear()
    reply.set(llc + bytes([0xE6, gateway.networkId, len(address)]) + address + apdu[len(llc) :])


GXDLMS.getLNPdu = pdu_behind_gateway

AUTHENTICATION = {
    "none": Authentication.NONE,
    "lls": Authentication.LOW,
    "hls2": Authentication.HIGH,
    "hls3": Authentication.HIGH_MD5,
    "hls4": Authentication.HIGH_SHA1,
    "hls5": Authentication.HIGH_GMAC,
    "hls6": Authentication.HIGH_SHA256,
}
SECURITY = {
    "none": Security.NONE,
    "authenticated": Security.AUTHENTICATION,
    "encrypted": Security.ENCRYPTION,
    "both": Security.AUTHENTICATION_ENCRYPTION,
}
TYPES = {t.name.lower(): t for t in DataType}


def plain(value):
    """Turns a value of the library into JSON: octets as hex, times as ISO 8601."""
    if isinstance(value, GXDateTime):
        return value.value.isoformat() if value.value else None
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex().upper()
    if isinstance(value, GXByteBuffer):
        return bytes(value.array()).hex().upper()
    if isinstance(value, (list, tuple, GXArray, GXStructure)):
        return [plain(item) for item in value]
    if isinstance(value, GXBitString):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if value is None or isinstance(value, (bool, str, float)):
        return value
    if isinstance(value, int):
        return int(value)
    return str(value)


class Session:
    """One line, one association."""

    def __init__(self, plan, line, client_sap=None, public=False):
        self.plan, self.line = plan, line
        hdlc = plan.get("framing", "wrapper") == "hdlc"
        sap = client_sap if client_sap is not None else plan.get("client", 16)
        server = plan.get("server", 1)
        size = 0
        if hdlc and plan.get("physical") is not None:
            size = plan.get("address_size", 0)
            server = GXDLMSSecureClient.getServerAddress(server, plan["physical"], size)
        auth = AUTHENTICATION["none" if public else plan.get("auth", "none")]
        password = None if public else hex_or_none(plan.get("password"))
        self.client = GXDLMSSecureClient(
            True, sap, server, auth, password, InterfaceType.HDLC if hdlc else InterfaceType.WRAPPER
        )
        if size:
            self.client.serverAddressSize = size
        if plan.get("max_pdu"):
            self.client.maxReceivePDUSize = plan["max_pdu"]
        if hdlc and plan.get("hdlc"):
            params = plan["hdlc"]
            self.client.hdlcSettings.maxInfoTX = params.get("info", 128)
            self.client.hdlcSettings.maxInfoRX = params.get("info", 128)
            self.client.hdlcSettings.windowSizeTX = params.get("window", 1)
            self.client.hdlcSettings.windowSizeRX = params.get("window", 1)
        conformance = self.client.proposedConformance
        for name in plan.get("without", []):
            conformance &= ~Conformance[name.upper()]
        for name in plan.get("with", []):
            conformance |= Conformance[name.upper()]
        self.client.proposedConformance = conformance
        ciphering = plan.get("ciphering")
        if ciphering and not public:
            self.client.ciphering.security = SECURITY[ciphering.get("security", "both")]
            self.client.ciphering.systemTitle = bytes.fromhex(ciphering["system_title"])
            self.client.ciphering.blockCipherKey = bytes.fromhex(ciphering["guek"])
            self.client.ciphering.authenticationKey = bytes.fromhex(ciphering["gak"])
            self.client.ciphering.invocationCounter = ciphering.get("counter", 1)
            if ciphering.get("dedicated_key"):
                self.client.ciphering.dedicatedKey = bytes.fromhex(ciphering["dedicated_key"])
        self.gateway = None
        if plan.get("gateway"):
            self.gateway = GXDLMSGateway()
            self.gateway.networkId = plan["gateway"].get("network", 1)
            self.gateway.physicalDeviceAddress = bytes.fromhex(plan["gateway"]["address"])
            self.client.gateway = self.gateway
        self.objects = {}

    def send(self, frames, reply=None):
        """Sends frames one after another and gathers the whole answer."""
        reply = reply if reply is not None else GXReplyData()
        if frames is None:
            return reply
        if not isinstance(frames, list):
            frames = [frames]
        for frame in frames:
            reply.clear()
            self.exchange(frame, reply)
        return reply

    def exchange(self, frame, reply):
        self.receive(frame, reply)
        while reply.isMoreData():
            more = None if reply.isStreaming() else self.client.receiverReady(reply)
            self.receive(more, reply)

    def receive(self, frame, reply):
        if frame:
            self.line.send(frame)
        buffer = GXByteBuffer()
        reply.complete = False
        notify = GXReplyData()
        while True:
            buffer.set(self.line.recv())
            # getData wants the whole buffer again when a frame was not complete.
            if self.client.getData(buffer, reply, notify):
                break
        if reply.error:
            raise GXDLMSException(reply.error)

    def open(self):
        frame = self.client.snrmRequest()
        if frame:
            reply = self.send(frame)
            self.client.parseUAResponse(reply.data)
        reply = self.send(self.client.aarqRequest())
        self.client.parseAareResponse(reply.data)
        if self.client.isAuthenticationRequired:
            reply = self.send(self.client.getApplicationAssociationRequest())
            self.client.parseApplicationAssociationResponse(reply.data)

    def close(self, release=True):
        # A client that does not cipher leaves HDLC with DISC alone, as the
        # library's own examples do.
        if release:
            self.send(self.client.releaseRequest())
        if self.plan.get("framing") == "hdlc":
            self.send(self.client.disconnectRequest())

    def object(self, step):
        key = (step["class"], step["obis"])
        if key not in self.objects:
            name = step["obis"]
            kind = {
                1: GXDLMSData,
                3: GXDLMSRegister,
                7: GXDLMSProfileGeneric,
                8: GXDLMSClock,
                18: GXDLMSImageTransfer,
                64: GXDLMSSecuritySetup,
            }.get(step["class"])
            if kind:
                obj = kind(name)
            elif step["class"] in [int(t) for t in ObjectType]:
                obj = GXDLMSObject(ObjectType(step["class"]), name, 0)
            else:  # a class of a manufacturer's own
                obj = GXDLMSObject(ObjectType.DATA, name, 0)
                obj.objectType = step["class"]
            self.objects[key] = obj
        return self.objects[key]

    def read(self, obj, attribute):
        reply = self.send(self.client.read(obj, attribute))
        return reply.value

    # steps

    def do(self, step):
        return getattr(self, "do_" + step["do"])(step)

    def do_read(self, step):
        return plain(self.read(self.object(step), step["attribute"]))

    def do_read_type(self, step):
        reply = self.send(self.client.read(self.object(step), step["attribute"]))
        return {"type": reply.valueType.name.lower(), "value": plain(reply.value)}

    def do_clock(self, step):
        clock = GXDLMSClock(step.get("obis", "0.0.1.0.0.255"))
        value = self.client.updateValue(clock, 2, self.read(clock, 2))
        return value.value.astimezone(datetime.timezone.utc).isoformat()

    def do_set_clock(self, step):
        clock = GXDLMSClock(step.get("obis", "0.0.1.0.0.255"))
        clock.time = GXDateTime(datetime.datetime.fromisoformat(step["value"]))
        self.send(self.client.write(clock, 2))

    def do_register(self, step):
        """The value scaled, as the library does it."""
        register = GXDLMSRegister(step["obis"])
        # Scaler and unit first: the library scales while it stores the value.
        self.client.updateValue(register, 3, self.read(register, 3))
        self.client.updateValue(register, 2, self.read(register, 2))
        return {"value": register.value, "scaler": register.scaler, "unit": int(register.unit)}

    def do_write(self, step):
        obj, value = self.object(step), step["value"]
        if step.get("type") in ("octet_string", "bitstring"):
            value = bytes.fromhex(value)
        obj.setDataType(step["attribute"], TYPES[step["type"]])
        if isinstance(obj, GXDLMSData):
            obj.value = value
        elif isinstance(obj, GXDLMSRegister):
            obj.value = value
        self.send(self.client.write(obj, step["attribute"]))

    def do_method(self, step):
        kind = TYPES[step.get("type", "int8")]
        value = step.get("value", 0)
        if kind == DataType.OCTET_STRING:
            value = bytes.fromhex(value)
        reply = self.send(self.client.method(self.object(step), step["method"], value, kind))
        return plain(reply.value)

    def do_association(self, _step):
        """The association view: how many objects, and each as class/name."""
        reply = self.send(self.client.getObjectsRequest())
        objects = self.client.parseObjects(reply.data, False, False)
        return sorted(f"{int(o.objectType)}/{o.logicalName}" for o in objects)

    def do_list(self, step):
        """Several attributes in one request (get-request-with-list)."""
        items = [(self.object(item), item["attribute"]) for item in step["items"]]
        values = []
        reply = GXReplyData()
        for frames in self.client.readList(items):
            for frame in frames if isinstance(frames, list) else [frames]:
                self.exchange(frame, reply)
            if isinstance(reply.value, list):
                values.extend(reply.value)
            reply.clear()
        return [plain(v) for v in values]

    def profile(self, step):
        profile = self.object({"class": 7, "obis": step["obis"]})
        if not profile.captureObjects:
            value = self.read(profile, 3)
            self.client.updateValue(profile, 3, value)
            # Scalers are not wanted: rows are compared as they were stored.
            for target, _ in profile.captureObjects:
                if isinstance(target, GXDLMSRegister):
                    target.scaler = 1
        return profile

    def rows(self, profile, frames):
        reply = self.send(frames)
        self.client.updateValue(profile, 2, reply.value)
        return [plain(row) for row in profile.buffer]

    def do_profile_columns(self, step):
        return [
            [int(obj.objectType), obj.logicalName, capture.attributeIndex, capture.dataIndex]
            for obj, capture in self.profile(step).captureObjects
        ]

    def do_profile_entry(self, step):
        profile = self.profile(step)
        return self.rows(profile, self.client.readRowsByEntry(profile, step["from"], step["count"]))

    def do_profile_range(self, step):
        profile = self.profile(step)
        first = datetime.datetime.fromisoformat(step["from"])
        last = datetime.datetime.fromisoformat(step["to"])
        return self.rows(profile, self.client.readRowsByRange(profile, first, last))

    def do_profile_all(self, step):
        profile = self.profile(step)
        return self.rows(profile, self.client.read(profile, 2))

    def do_image(self, step):
        """The whole image transfer of the library: initiate, blocks, verify."""
        image = bytes.fromhex(step["image"])
        transfer = self.object({"class": 18, "obis": step.get("obis", "0.0.44.0.0.255")})
        self.client.updateValue(transfer, 5, self.read(transfer, 5))
        if not transfer.imageTransferEnabled:
            raise RuntimeError("image transfer is not enabled")
        self.client.updateValue(transfer, 2, self.read(transfer, 2))
        self.send(transfer.imageTransferInitiate(self.client, step["identifier"], len(image)))
        count = [0]
        for frames in transfer.imageBlockTransfer(self.client, image, count):
            self.send(frames)
        self.client.updateValue(transfer, 4, self.read(transfer, 4))
        try:
            self.send(transfer.imageVerify(self.client))
        except GXDLMSException as err:
            if "temporary failure" not in str(err):  # it is still at it
                raise
        status = self.read(transfer, 6)
        for _ in range(120):
            if int(status) != 2:
                break
            time.sleep(0.5)
            status = self.read(transfer, 6)
        if step.get("activate") == "leave":  # the device restarts and does not answer for a while
            self.send(transfer.imageActivate(self.client))
        elif step.get("activate"):
            self.send(transfer.imageActivate(self.client))
            status = self.read(transfer, 6)
        return {"blocks": count[0], "first_missing": transfer.imageFirstNotTransferredBlockNumber, "status": int(status)}

    def do_key_transfer(self, step):
        """Sends the new keys wrapped under the master key (class 64 method 2)."""
        setup = self.object({"class": 64, "obis": step.get("obis", "0.0.43.0.0.255")})
        kek = bytes.fromhex(step["kek"])
        data = GXByteBuffer()
        data.setUInt8(DataType.ARRAY)
        data.setUInt8(len(step["keys"]))
        for item in step["keys"]:
            wrapped = GXDLMSSecureClient.encrypt(kek, bytes.fromhex(item["key"]))
            data.setUInt8(DataType.STRUCTURE)
            data.setUInt8(2)
            data.setUInt8(DataType.ENUM)
            data.setUInt8(item["id"])
            data.setUInt8(DataType.OCTET_STRING)
            data.setUInt8(len(wrapped))
            data.set(wrapped)
        self.send(self.client.method(setup, 2, data.array(), DataType.ARRAY))

    def do_counter(self, _step):
        return self.client.ciphering.invocationCounter


def counter_of(plan):
    """Asks the public client for the counter the server last accepted."""
    wanted = plan["counter_from"]
    line = open_line(plan["target"], plan.get("timeout", 5))
    try:
        session = Session(plan, line, wanted.get("client", 16), public=True)
        session.open()
        value = session.read(GXDLMSData(wanted.get("obis", "0.0.43.1.0.255")), 2)
        session.close()
        return value
    finally:
        line.close()


def main(argv):
    plan = load_plan(argv)
    try:
        if plan.get("counter_from"):
            counter = counter_of(plan)
            emit(do="counter_from", ok=True, value=counter)
            plan["ciphering"]["counter"] = counter + 1
        line = open_line(plan["target"], plan.get("timeout", 5))
        session = Session(plan, line)
        session.open()
    except Exception as err:  # pylint: disable=broad-except
        wanted = plan.get("expect_open_error")
        ok = wanted is not None and wanted in f"{type(err).__name__}: {err}"
        emit(do="open", ok=ok, error=f"{type(err).__name__}: {err}")
        return 0 if ok else 1
    if plan.get("expect_open_error"):
        emit(do="open", ok=False, error="the association was accepted")
        return 1
    emit(do="open", ok=True, value={"conformance": int(session.client.negotiatedConformance)})
    status = run_steps(plan, session.do)
    try:
        session.close(plan.get("release", True))
        emit(do="close", ok=True)
    except Exception as err:  # pylint: disable=broad-except
        emit(do="close", ok=False, error=f"{type(err).__name__}: {err}")
        status = 1
    line.close()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv))
