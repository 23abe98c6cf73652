// Migrates one home over MQTT with mqtt.js: an example of a migration engine of somebody else's.
//
//   npm install            (in this folder)
//   node migrate_home.mjs --broker 127.0.0.1:1883 --fleet lab --hub 00-DB-53-00-00-00-00-01
//
// Steps, ids and exit statuses are those of ../python/migrate_home.py.
import { parseArgs } from "node:util";
import mqtt from "mqtt";

const { values: o } = parseArgs({
  options: {
    broker: { type: "string", default: "127.0.0.1:1883" },
    fleet: { type: "string", default: "lab" },
    hub: { type: "string" },
    run: { type: "string", default: "node-1" },
    owner: { type: "string", default: "ACB" },
    endpoint: { type: "string", default: "s1sp.example:4059" },
  },
});
if (!o.hub) {
  console.error("--hub: give the EUI-64 of the hub");
  process.exit(2);
}

const root = `smets1/v1/${o.fleet}`;
const reply = `${root}/rsp/example-node`;
const final = new Set(["done", "failed", "rejected", "indoubt"]);
const client = await mqtt.connectAsync(`mqtt://${o.broker}`, { protocolVersion: 4, clientId: "example-node", clean: true });
await client.subscribeAsync(reply, { qos: 1 }); // mqtt.js does it again after each reconnection

const waiting = new Map(); // by id
client.on("message", (_topic, payload) => {
  const result = JSON.parse(payload.toString());
  waiting.get(result.id)?.(result);
});

// call sends a command until it is answered, and gives its final result.
function call(verb, id, args = {}) {
  const payload = JSON.stringify({ schema: 1, id, reply, args });
  return new Promise((resolve) => {
    // Never retained; the same id never runs twice.
    const send = () => client.publish(`${root}/hub/${o.hub}/cmd/${verb}`, payload, { qos: 1 });
    const again = setInterval(send, 10_000);
    waiting.set(id, (result) => {
      again.refresh();
      if (result.progress) console.log(`  ${result.progress.step ?? ""} ${result.progress.done ?? ""}`);
      if (!final.has(result.status)) return;
      clearInterval(again);
      waiting.delete(id);
      resolve(result);
    });
    send();
  });
}

class StepFailed extends Error {
  constructor(result) {
    super(`${result.status}, ${result.code}: ${result.message?.what ?? ""}`);
    this.result = result;
  }
}

async function step(verb, args, name = verb) {
  console.log(name);
  const result = await call(verb, `${o.run}/${o.hub}/${name}`, args);
  if (result.status !== "done") throw new StepFailed(result);
  return result.result;
}

const digests = (r) => JSON.stringify(r.devices.map((d) => [d.eui, d.sha256]));

async function migrate() {
  await step("wake");
  const who = await step("identify");
  if (who.devices.some((d) => d.code !== "ok")) {
    console.log("not all devices answer");
    return 1;
  }
  await step("clock.sync", { max_step_seconds: 3600 });
  await step("han.check");
  const before = digests(await step("config.digest", {}, "digest-before"));
  const keys = await step("keys.takeover", { owner: o.owner });
  for (const d of keys.devices) console.log(`  ${d.eui}: key version ${d.version} of ${d.owner}, old keys refused: ${d.old_refused ?? false}`);
  await step("hub.repoint", { endpoint: o.endpoint });
  if (digests(await step("config.digest", {}, "digest-after")) !== before) {
    console.log("the configuration is another than before");
    return 1;
  }
  console.log(`migrated ${o.hub}`);
  return 0;
}

let status;
try {
  status = await migrate();
} catch (e) {
  if (!(e instanceof StepFailed)) throw e;
  console.error(e.message);
  status = e.result.status === "indoubt" ? 3 : 1;
}
await client.endAsync();
process.exit(status);
