"""Migrates one home over MQTT with paho-mqtt: an example of a migration engine of somebody else's.

    pip install paho-mqtt
    python migrate_home.py --broker 127.0.0.1:1883 --fleet lab --hub 00-DB-53-00-00-00-00-01

The steps are those of a migration day: wake, identify, set clocks, check the HAN, digest the configuration, take the keys over, point the hub at
its new head end, and compare the configuration with what it was. Every command has an id that follows from the run and the step: when
this program is killed and started again with the same --run, each step that was done is answered from what the gateway kept, and none is run twice.

Exit status: 0 migrated, 1 a step failed (what could be undone was), 3 in doubt: a person must look before anybody tries again.
"""

import argparse
import json
import queue
import sys
import time

import paho.mqtt.client as mqtt


class Gateway:
    """A client of the contract: one connection, one reply topic."""

    def __init__(self, host, port, fleet, name):
        self.root = f"smets1/v1/{fleet}"
        self.reply = f"{self.root}/rsp/{name}"
        self.results = queue.Queue()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name)
        self.client.on_connect = self._connected
        self.client.on_message = lambda _c, _u, m: self.results.put(json.loads(m.payload))
        self.ready = queue.Queue()
        self.client.on_subscribe = lambda *_: self.ready.put(True)
        self.client.connect(host, port)
        self.client.loop_start()
        self.ready.get(timeout=30)

    def _connected(self, client, *_):
        client.subscribe(self.reply, qos=1)  # again after each reconnection

    def close(self):
        self.client.loop_stop()
        self.client.disconnect()

    def call(self, hub, verb, ident, args=None, device="", timeout=600):
        """Sends a command until it is answered, and returns its final result."""
        topic = f"{self.root}/hub/{hub}/cmd/{verb}"
        command = {"schema": 1, "id": ident, "reply": self.reply, "args": args or {}}
        if device:
            command["device"] = device
        payload = json.dumps(command)
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.client.publish(topic, payload, qos=1)  # never retained; the same id never runs twice
            heard = time.monotonic()
            while time.monotonic() < heard + 10:  # without any word for 10 s it is sent again
                try:
                    result = self.results.get(timeout=1)
                except queue.Empty:
                    continue
                if result.get("id") != ident:
                    continue
                heard = time.monotonic()
                if result["status"] in ("done", "failed", "rejected", "indoubt"):
                    return result
                progress = result.get("progress")
                if progress:
                    print(f"  {progress.get('step', '')} {progress.get('done', '')}", flush=True)
        raise TimeoutError(f"no result of {verb} in {timeout} s")


class StepFailed(Exception):
    def __init__(self, result):
        super().__init__(f"{result['status']}, {result.get('code')}: {result.get('message', {}).get('what', '')}")
        self.result = result


def step(gateway, run, verb, name=None, args=None):
    name = name or verb
    print(name, flush=True)
    result = gateway.call(run.hub, verb, f"{run.run}/{run.hub}/{name}", args)
    if result["status"] != "done":
        raise StepFailed(result)
    return result.get("result", {})


def digests(result):
    return {d["eui"]: d.get("sha256") for d in result["devices"]}


def migrate(gateway, run):
    step(gateway, run, "wake")
    who = step(gateway, run, "identify")
    silent = [d["eui"] for d in who["devices"] if d["code"] != "ok"]
    if silent:
        print(f"not all devices answer: {silent}")
        return 1
    step(gateway, run, "clock.sync", args={"max_step_seconds": 3600})
    step(gateway, run, "han.check")
    before = digests(step(gateway, run, "config.digest", "digest-before"))
    keys = step(gateway, run, "keys.takeover", args={"owner": run.owner})
    for d in keys["devices"]:
        print(f"  {d['eui']}: key version {d['version']} of {d['owner']}, old keys refused: {d.get('old_refused', False)}")
    step(gateway, run, "hub.repoint", args={"endpoint": run.endpoint})
    after = digests(step(gateway, run, "config.digest", "digest-after"))
    if before != after:
        print("the configuration is another than before")
        return 1
    print(f"migrated {run.hub}")
    return 0


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--broker", default="127.0.0.1:1883", help="host:port")
    p.add_argument("--fleet", default="lab")
    p.add_argument("--hub", required=True, help="EUI-64 of the hub")
    p.add_argument("--run", default="py-1", help="name of the run: the same again goes on where it stood")
    p.add_argument("--owner", default="ACB", help="whose the keys will be")
    p.add_argument("--endpoint", default="s1sp.example:4059", help="the hub's new head end")
    args = p.parse_args()
    host, _, port = args.broker.rpartition(":")
    gateway = Gateway(host, int(port), args.fleet, "example-python")
    try:
        return migrate(gateway, args)
    except StepFailed as e:
        print(e, file=sys.stderr)
        return 3 if e.result["status"] == "indoubt" else 1
    finally:
        gateway.close()


if __name__ == "__main__":
    sys.exit(main())
