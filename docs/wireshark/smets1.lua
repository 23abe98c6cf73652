-- Dissector for DLMS/COSEM in captures of SMETS1 equipment:
--   HDLC frames on link type USER0 (147), as transport/capture writes serial lines
--   the wrapper on TCP and UDP port 4059
--   names and headers of APDUs, the gateway prefix, segments and blocks
--
-- wireshark -X lua_script:smets1.lua capture.pcapng
-- or copy it to the folder "Personal Lua Plugins" of Help > About > Folders.
--
-- It shows what is in clear. What is ciphered can be looked into with
-- "smets1 decode", which takes keys.

local hdlc = Proto("dlms_hdlc", "DLMS HDLC")
local wrapper = Proto("dlms_wrapper", "DLMS wrapper")
local dlms = Proto("dlms", "DLMS/COSEM APDU")

local kinds = {
  [0] = "unknown", "I", "RR", "RNR", "REJ", "SNRM", "UA", "DISC", "DM", "FRMR", "UI",
}

-- APDU names by tag (IEC 62056-5-3, published).
local names = {
  [0x01] = "initiate-request",
  [0x05] = "read-request",
  [0x06] = "write-request",
  [0x08] = "initiate-response",
  [0x0C] = "read-response",
  [0x0D] = "write-response",
  [0x0E] = "confirmed-service-error",
  [0x0F] = "data-notification",
  [0x16] = "unconfirmed-write-request",
  [0x18] = "information-report-request",
  [0x21] = "glo-initiate-request",
  [0x25] = "glo-read-request",
  [0x26] = "glo-write-request",
  [0x28] = "glo-initiate-response",
  [0x2C] = "glo-read-response",
  [0x2D] = "glo-write-response",
  [0x2E] = "glo-confirmed-service-error",
  [0x36] = "glo-unconfirmed-write-request",
  [0x38] = "glo-information-report-request",
  [0x41] = "ded-initiate-request",
  [0x45] = "ded-read-request",
  [0x46] = "ded-write-request",
  [0x48] = "ded-initiate-response",
  [0x4C] = "ded-read-response",
  [0x4D] = "ded-write-response",
  [0x4E] = "ded-confirmed-service-error",
  [0x56] = "ded-unconfirmed-write-request",
  [0x58] = "ded-information-report-request",
  [0x60] = "AARQ",
  [0x61] = "AARE",
  [0x62] = "RLRQ",
  [0x63] = "RLRE",
  [0xC0] = "get-request",
  [0xC1] = "set-request",
  [0xC2] = "event-notification-request",
  [0xC3] = "action-request",
  [0xC4] = "get-response",
  [0xC5] = "set-response",
  [0xC7] = "action-response",
  [0xC8] = "glo-get-request",
  [0xC9] = "glo-set-request",
  [0xCA] = "glo-event-notification-request",
  [0xCB] = "glo-action-request",
  [0xCC] = "glo-get-response",
  [0xCD] = "glo-set-response",
  [0xCF] = "glo-action-response",
  [0xD0] = "ded-get-request",
  [0xD1] = "ded-set-request",
  [0xD2] = "ded-event-notification-request",
  [0xD3] = "ded-action-request",
  [0xD4] = "ded-get-response",
  [0xD5] = "ded-set-response",
  [0xD7] = "ded-action-response",
  [0xD8] = "exception-response",
  [0xD9] = "access-request",
  [0xDA] = "access-response",
  [0xDB] = "general-glo-ciphering",
  [0xDC] = "general-ded-ciphering",
  [0xDD] = "general-ciphering",
  [0xDF] = "general-signing",
  [0xE0] = "general-block-transfer",
  [0xE6] = "gateway-request",
  [0xE7] = "gateway-response",
}

local forms = {
  [0xC0] = { "normal", "next", "with-list" },
  [0xC1] = { "normal", "with-first-datablock", "with-datablock", "with-list", "with-list-and-first-datablock" },
  [0xC3] = { "normal", "next-pblock", "with-list", "with-first-pblock", "with-list-and-first-pblock", "with-pblock" },
  [0xC4] = { "normal", "with-datablock", "with-list" },
  [0xC5] = { "normal", "datablock", "last-datablock", "last-datablock-with-list", "with-list" },
  [0xC7] = { "normal", "with-pblock", "with-list", "next-pblock" },
}

local results = {
  [0] = "success", [1] = "hardware-fault", [2] = "temporary-failure", [3] = "read-write-denied", [4] = "object-undefined",
  [9] = "object-class-inconsistent", [11] = "object-unavailable", [12] = "type-unmatched", [13] = "scope-of-access-violated",
  [14] = "data-block-unavailable", [15] = "long-get-aborted", [16] = "no-long-get-in-progress", [17] = "long-set-aborted",
  [18] = "no-long-set-in-progress", [19] = "data-block-number-invalid", [250] = "other-reason",
}

local f = {
  -- HDLC
  format = ProtoField.uint16("dlms.hdlc.format", "Frame format", base.HEX),
  length = ProtoField.uint16("dlms.hdlc.length", "Length", base.DEC),
  segmented = ProtoField.bool("dlms.hdlc.segmented", "More segments follow"),
  dst = ProtoField.string("dlms.hdlc.destination", "Destination"),
  src = ProtoField.string("dlms.hdlc.source", "Source"),
  control = ProtoField.uint8("dlms.hdlc.control", "Control", base.HEX),
  kind = ProtoField.string("dlms.hdlc.kind", "Frame"),
  ns = ProtoField.uint8("dlms.hdlc.ns", "N(S)", base.DEC),
  nr = ProtoField.uint8("dlms.hdlc.nr", "N(R)", base.DEC),
  pf = ProtoField.bool("dlms.hdlc.pf", "Poll/final"),
  hcs = ProtoField.uint16("dlms.hdlc.hcs", "HCS", base.HEX),
  hcs_ok = ProtoField.bool("dlms.hdlc.hcs_ok", "HCS right"),
  fcs = ProtoField.uint16("dlms.hdlc.fcs", "FCS", base.HEX),
  fcs_ok = ProtoField.bool("dlms.hdlc.fcs_ok", "FCS right"),
  info = ProtoField.bytes("dlms.hdlc.info", "Information"),
  segment = ProtoField.string("dlms.hdlc.segment", "Segment"),
  reassembled = ProtoField.uint32("dlms.hdlc.reassembled", "Put together, bytes", base.DEC),
  param = ProtoField.string("dlms.hdlc.parameter", "Parameter"),
  -- wrapper
  version = ProtoField.uint16("dlms.wrapper.version", "Version", base.DEC),
  sport = ProtoField.uint16("dlms.wrapper.source", "Source wPort", base.DEC),
  dport = ProtoField.uint16("dlms.wrapper.destination", "Destination wPort", base.DEC),
  wlen = ProtoField.uint16("dlms.wrapper.length", "Length", base.DEC),
  -- APDU
  llc = ProtoField.bytes("dlms.llc", "LLC"),
  tag = ProtoField.uint8("dlms.tag", "Tag", base.HEX),
  name = ProtoField.string("dlms.name", "APDU"),
  network = ProtoField.uint8("dlms.gateway.network", "Network id", base.DEC),
  address = ProtoField.bytes("dlms.gateway.address", "Physical device address", base.DASH),
  invoke = ProtoField.uint8("dlms.invoke_id", "Invoke-id and priority", base.HEX),
  class = ProtoField.uint16("dlms.class", "Class", base.DEC),
  ln = ProtoField.string("dlms.logical_name", "Logical name"),
  member = ProtoField.int8("dlms.member", "Attribute or method", base.DEC),
  result = ProtoField.uint8("dlms.result", "Result", base.DEC, results),
  last = ProtoField.bool("dlms.block.last", "Last block"),
  block = ProtoField.uint32("dlms.block.number", "Block number", base.DEC),
  ack = ProtoField.uint16("dlms.block.acknowledged", "Block acknowledged", base.DEC),
  window = ProtoField.uint8("dlms.block.window", "Window", base.DEC),
  title = ProtoField.bytes("dlms.system_title", "System title"),
  sc = ProtoField.uint8("dlms.security_control", "Security control", base.HEX),
  ic = ProtoField.uint32("dlms.invocation_counter", "Invocation counter", base.DEC),
  state = ProtoField.uint8("dlms.exception.state", "State error", base.DEC,
    { [1] = "service-not-allowed", [2] = "service-unknown" }),
  service = ProtoField.uint8("dlms.exception.service", "Service error", base.DEC, {
    [1] = "operation-not-possible", [2] = "service-not-supported", [3] = "other-reason", [4] = "pdu-too-long",
    [5] = "deciphering-error", [6] = "invocation-counter-error",
  }),
  rest = ProtoField.bytes("dlms.content", "Content"),
}

hdlc.fields = {
  f.format, f.length, f.segmented, f.dst, f.src, f.control, f.kind, f.ns, f.nr, f.pf, f.hcs, f.hcs_ok, f.fcs, f.fcs_ok,
  f.info, f.segment, f.reassembled, f.param,
}
wrapper.fields = { f.version, f.sport, f.dport, f.wlen }
dlms.fields = {
  f.llc, f.tag, f.name, f.network, f.address, f.invoke, f.class, f.ln, f.member, f.result, f.last, f.block, f.ack, f.window,
  f.title, f.sc, f.ic, f.state, f.service, f.rest,
}

local bad_crc = ProtoExpert.new("dlms.hdlc.bad_check", "Check sequence is wrong", expert.group.CHECKSUM, expert.severity.ERROR)
local bad_frame = ProtoExpert.new("dlms.hdlc.malformed", "Not a whole frame", expert.group.MALFORMED, expert.severity.WARN)
hdlc.experts = { bad_crc, bad_frame }

-- CRC-16/X-25
local crc_table = {}
for i = 0, 255 do
  local c = i
  for _ = 1, 8 do
    if bit.band(c, 1) == 1 then c = bit.bxor(bit.rshift(c, 1), 0x8408) else c = bit.rshift(c, 1) end
  end
  crc_table[i] = c
end

local function crc(tvb, from, to)
  local c = 0xFFFF
  for i = from, to - 1 do
    c = bit.bxor(bit.rshift(c, 8), crc_table[bit.band(bit.bxor(c, tvb(i, 1):uint()), 0xFF)])
  end
  return bit.band(bit.bnot(c), 0xFFFF)
end

local function add_name(tree, pinfo, range, name)
  tree:add(f.name, range, name)
  tree:append_text(", " .. name)
  if tostring(pinfo.cols.info) ~= "" then pinfo.cols.info:append(" " .. name) else pinfo.cols.info:set(name) end
end

local function obis(r)
  return string.format("%d-%d:%d.%d.%d.%d", r(0, 1):uint(), r(1, 1):uint(), r(2, 1):uint(), r(3, 1):uint(), r(4, 1):uint(), r(5, 1):uint())
end

-- A-XDR length: value and size, nil if it is not all there.
local function axdr_length(tvb, at)
  if at >= tvb:len() then return nil end
  local b = tvb(at, 1):uint()
  if b < 0x80 then return b, 1 end
  local n = b - 0x80
  if n < 1 or n > 4 or at + 1 + n > tvb:len() then return nil end
  return tvb(at + 1, n):uint(), 1 + n
end

local function descriptor(tvb, tree, pinfo, at)
  if at + 9 > tvb:len() then return at end
  local text = string.format("%d/%s/%d", tvb(at, 2):uint(), obis(tvb(at + 2, 6)), tvb(at + 8, 1):int())
  tree:add(f.class, tvb(at, 2))
  tree:add(f.ln, tvb(at + 2, 6), obis(tvb(at + 2, 6)))
  tree:add(f.member, tvb(at + 8, 1))
  pinfo.cols.info:append(" " .. text)
  return at + 9
end

local function ciphered(tvb, tree, pinfo, at)
  local _, size = axdr_length(tvb, at)
  if not size or at + size + 5 > tvb:len() then return end
  tree:add(f.sc, tvb(at + size, 1))
  tree:add(f.ic, tvb(at + size + 1, 4))
  pinfo.cols.info:append(string.format(" counter %d", tvb(at + size + 1, 4):uint()))
end

local apdu

-- forms of GET, SET and ACTION
local function form(tvb, tree, pinfo, tag, kind)
  if tvb:len() < 3 then return end
  tree:add(f.invoke, tvb(2, 1))
  local at = 3
  local request = tag == 0xC0 or tag == 0xC1 or tag == 0xC3
  if kind == 1 or (request and ((tag == 0xC1 and kind == 2) or (tag == 0xC3 and kind == 4))) then
    if request then
      descriptor(tvb, tree, pinfo, at)
    elseif tag == 0xC4 and tvb:len() >= 5 and tvb(3, 1):uint() == 1 then
      tree:add(f.result, tvb(4, 1))
    elseif tag ~= 0xC4 and tvb:len() >= 4 then
      tree:add(f.result, tvb(3, 1))
    end
  elseif (tag == 0xC0 and kind == 2) or (tag == 0xC3 and kind == 2) or (tag == 0xC7 and kind == 4) or (tag == 0xC5 and kind == 2) then
    if tvb:len() >= 7 then
      tree:add(f.block, tvb(3, 4))
      pinfo.cols.info:append(string.format(" block %d", tvb(3, 4):uint()))
    end
  elseif (tag == 0xC4 and kind == 2) or (tag == 0xC7 and kind == 2) or (tag == 0xC1 and kind == 3) or (tag == 0xC3 and kind == 6) then
    if tvb:len() >= 8 then
      tree:add(f.last, tvb(3, 1))
      tree:add(f.block, tvb(4, 4))
      local last = ""
      if tvb(3, 1):uint() ~= 0 then last = ", the last" end
      pinfo.cols.info:append(string.format(" block %d%s", tvb(4, 4):uint(), last))
    end
  end
end

function apdu(tvb, pinfo, root)
  local at = 0
  if tvb:len() >= 3 and tvb(0, 1):uint() == 0xE6 and tvb(2, 1):uint() == 0 and (tvb(1, 1):uint() == 0xE6 or tvb(1, 1):uint() == 0xE7) then
    at = 3
  end
  if tvb:len() <= at then return end
  local tree = root:add(dlms, tvb())
  if at > 0 then tree:add(f.llc, tvb(0, 3)) end
  local b = tvb(at):tvb()
  local tag = b(0, 1):uint()
  local name = names[tag]
  if not name then
    tree:add(f.rest, b())
    return
  end
  tree:add(f.tag, b(0, 1))
  if forms[tag] and b:len() >= 2 then
    local kind = b(1, 1):uint()
    if forms[tag][kind] then name = name .. "-" .. forms[tag][kind] end
    add_name(tree, pinfo, b(0, 2), name)
    form(b, tree, pinfo, tag, kind)
    return
  end
  add_name(tree, pinfo, b(0, 1), name)
  if tag == 0xE6 or tag == 0xE7 then
    if b:len() < 3 then return end
    local n = b(2, 1):uint()
    tree:add(f.network, b(1, 1))
    if b:len() < 3 + n then return end
    if n > 0 then
      tree:add(f.address, b(3, n))
      pinfo.cols.info:append(" " .. tostring(b(3, n)):upper())
    end
    if b:len() > 3 + n then apdu(b(3 + n):tvb(), pinfo, root) end
  elseif tag == 0xD8 then
    if b:len() >= 2 then tree:add(f.state, b(1, 1)) end
    if b:len() >= 3 then tree:add(f.service, b(2, 1)) end
    if b:len() >= 7 then tree:add(f.ic, b(3, 4)) end
  elseif tag == 0xE0 then
    if b:len() < 6 then return end
    tree:add(f.last, b(1, 1), bit.band(b(1, 1):uint(), 0x80) ~= 0)
    tree:add(f.window, b(1, 1), bit.band(b(1, 1):uint(), 0x3F))
    tree:add(f.block, b(2, 2))
    tree:add(f.ack, b(4, 2))
    pinfo.cols.info:append(string.format(" block %d, acknowledges %d", b(2, 2):uint(), b(4, 2):uint()))
  elseif tag == 0xDB or tag == 0xDC then
    local n, size = axdr_length(b, 1)
    if not n or 1 + size + n > b:len() then return end
    if n > 0 then tree:add(f.title, b(1 + size, n)) end
    ciphered(b, tree, pinfo, 1 + size + n)
  elseif name:sub(1, 4) == "glo-" or name:sub(1, 4) == "ded-" then
    ciphered(b, tree, pinfo, 1)
  end
end

function dlms.dissector(tvb, pinfo, root) apdu(tvb, pinfo, root) end

-- HDLC

local function address(tvb, at)
  local v, n = {}, 0
  repeat
    if at + n >= tvb:len() or n == 4 then return nil end
    local b = tvb(at + n, 1):uint()
    v[#v + 1] = bit.rshift(b, 1)
    n = n + 1
  until bit.band(b, 1) == 1
  if n == 1 then return tostring(v[1]), 1 end
  if n == 2 then return string.format("%d/%d", v[1], v[2]), 2 end
  if n == 4 then return string.format("%d/%d", v[1] * 128 + v[2], v[3] * 128 + v[4]), 4 end
  return nil
end

local unnumbered = { [0x83] = 5, [0x63] = 6, [0x43] = 7, [0x0F] = 8, [0x87] = 9, [0x03] = 10 }

local function control(c)
  if bit.band(c, 1) == 0 then return 1 end
  if bit.band(c, 3) == 1 then
    local s = bit.band(c, 0x0F)
    if s == 1 then return 2 elseif s == 5 then return 3 elseif s == 9 then return 4 end
    return 0
  end
  return unnumbered[bit.band(c, 0xEF)] or 0
end

local params = { [5] = "max information field, transmit", [6] = "max information field, receive", [7] = "window, transmit", [8] = "window, receive" }

-- Segments wait here for their last one, and what they make by the number of that packet.
local waiting, whole = {}, {}
function hdlc.init() waiting, whole = {}, {} end

local function information(tvb, pinfo, root, tree, kind, segmented, conversation)
  if kind == 5 or kind == 6 then
    local at = 3
    while at + 2 <= tvb:len() do
      local id, n = tvb(at, 1):uint(), tvb(at + 1, 1):uint()
      if n < 1 or n > 4 or at + 2 + n > tvb:len() then break end
      tree:add(f.param, tvb(at, 2 + n), string.format("%s: %d", params[id] or ("parameter " .. id), tvb(at + 2, n):uint()))
      at = at + 2 + n
    end
    waiting[conversation] = nil
    return
  end
  if kind ~= 1 and kind ~= 10 then
    tree:add(f.info, tvb())
    return
  end
  local key = pinfo.number .. " " .. conversation
  if not pinfo.visited then
    local w = waiting[conversation]
    if w or segmented then
      w = w or { bytes = ByteArray.new(), count = 0 }
      w.bytes:append(tvb:bytes())
      w.count = w.count + 1
      waiting[conversation] = w
      whole[key] = { part = w.count }
      if not segmented then
        whole[key].bytes = w.bytes
        waiting[conversation] = nil
      end
    end
  end
  local w = whole[key]
  if not w then
    apdu(tvb, pinfo, root)
    return
  end
  if not w.bytes then
    tree:add(f.segment, tvb(), string.format("%d, more follow", w.part))
    pinfo.cols.info:append(string.format(" segment %d", w.part))
    return
  end
  tree:add(f.segment, tvb(), string.format("%d, the last", w.part))
  tree:add(f.reassembled, tvb(), w.bytes:len())
  pinfo.cols.info:append(string.format(" segment %d, the last:", w.part))
  apdu(w.bytes:tvb("APDU put together"), pinfo, root)
end

-- frame dissects one frame at the start of tvb and returns how many bytes it took, nil if there is none.
local function frame(tvb, pinfo, root)
  if tvb:len() < 9 or tvb(0, 1):uint() ~= 0x7E then return nil end
  local format = tvb(1, 2):uint()
  local n = bit.band(format, 0x7FF)
  if bit.band(format, 0xF000) ~= 0xA000 or n < 7 or tvb:len() < 1 + n then return nil end
  local took = 1 + n
  if tvb:len() > took and tvb(took, 1):uint() == 0x7E then took = took + 1 end
  local tree = root:add(hdlc, tvb(0, took))
  tree:add(f.format, tvb(1, 2))
  tree:add(f.length, tvb(1, 2), n)
  local segmented = bit.band(format, 0x800) ~= 0
  tree:add(f.segmented, tvb(1, 2), segmented)
  local at = 3
  local dst, dn = address(tvb, at)
  if not dst then return nil end
  tree:add(f.dst, tvb(at, dn), dst)
  at = at + dn
  local src, sn = address(tvb, at)
  if not src or at + sn >= 1 + n - 2 then return nil end
  tree:add(f.src, tvb(at, sn), src)
  at = at + sn
  local c = tvb(at, 1):uint()
  local kind = control(c)
  tree:add(f.control, tvb(at, 1))
  tree:add(f.kind, tvb(at, 1), kinds[kind])
  local text = kinds[kind]
  if kind == 1 then
    tree:add(f.ns, tvb(at, 1), bit.band(bit.rshift(c, 1), 7))
    text = string.format("%s N(S)=%d", text, bit.band(bit.rshift(c, 1), 7))
  end
  if kind >= 1 and kind <= 4 then
    tree:add(f.nr, tvb(at, 1), bit.rshift(c, 5))
    text = string.format("%s N(R)=%d", text, bit.rshift(c, 5))
  end
  tree:add(f.pf, tvb(at, 1), bit.band(c, 0x10) ~= 0)
  at = at + 1
  tree:append_text(string.format(", %s > %s, %s", src, dst, text))
  pinfo.cols.protocol:set("DLMS")
  pinfo.cols.src:set(src)
  pinfo.cols.dst:set(dst)
  pinfo.cols.info:append(" " .. text)
  local function check(field, ok_field, offset)
    local right = crc(tvb, 1, offset) == tvb(offset, 2):le_uint()
    tree:add_le(field, tvb(offset, 2))
    local item = tree:add(ok_field, tvb(offset, 2), right)
    if not right then item:add_proto_expert_info(bad_crc) end
    return right
  end
  local fcs_at = 1 + n - 2
  local info = fcs_at - at - 2
  local good = true
  if info > 0 then
    good = check(f.hcs, f.hcs_ok, at)
  end
  good = check(f.fcs, f.fcs_ok, fcs_at) and good
  if info > 0 then
    if good then
      information(tvb(at + 2, info):tvb(), pinfo, root, tree, kind, segmented, src .. ">" .. dst)
    else
      tree:add(f.info, tvb(at + 2, info))
    end
  end
  return took
end

function hdlc.dissector(tvb, pinfo, root)
  pinfo.cols.info:set("")
  local at = 0
  while at < tvb:len() do
    local took = frame(tvb(at):tvb(), pinfo, root)
    if not took then
      pinfo.cols.protocol:set("DLMS")
      pinfo.cols.info:append(string.format(" %d bytes that are no frame", tvb:len() - at))
      root:add(hdlc, tvb(at)):add_proto_expert_info(bad_frame)
      return
    end
    at = at + took
  end
end

-- wrapper

local function unit(tvb, pinfo, root)
  local tree = root:add(wrapper, tvb())
  tree:add(f.version, tvb(0, 2))
  tree:add(f.sport, tvb(2, 2))
  tree:add(f.dport, tvb(4, 2))
  tree:add(f.wlen, tvb(6, 2))
  tree:append_text(string.format(", %d > %d", tvb(2, 2):uint(), tvb(4, 2):uint()))
  pinfo.cols.protocol:set("DLMS")
  pinfo.cols.info:append(string.format(" %d > %d", tvb(2, 2):uint(), tvb(4, 2):uint()))
  if tvb:len() > 8 then apdu(tvb(8):tvb(), pinfo, root) end
  return tvb:len()
end

local function unit_length(tvb, _, offset) return 8 + tvb(offset + 6, 2):uint() end

function wrapper.dissector(tvb, pinfo, root)
  if tvb:len() >= 2 and tvb(0, 2):uint() ~= 1 then return 0 end
  pinfo.cols.info:set("")
  if pinfo.port_type == 3 then -- UDP: one unit for each datagram
    if tvb:len() < 8 then return 0 end
    return unit(tvb, pinfo, root)
  end
  dissect_tcp_pdus(tvb, root, 8, unit_length, unit)
  return tvb:len()
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, hdlc)
DissectorTable.get("tcp.port"):add(4059, wrapper)
DissectorTable.get("udp.port"):add(4059, wrapper)
