// Drives zigbee-on-host, through zigbee-herdsman, over a Spinel RCP at RCP_URL: admits one simulated device that keeps to
// Smart Energy's policy, and asks it what zoh-join.js asks. Home-automation stacks cannot establish a Smart Energy link
// key, so every read must be refused.
// Exit 0: joined, and refused each read. 1: it answered, or something failed. 2: nothing joined in time.
const {Controller, setLogger} = require('zigbee-herdsman');
const fs = require('fs'), os = require('os'), path = require('path');
const quiet = () => {};
setLogger({debug: quiet, info: quiet, warning: quiet, error: quiet});
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'zoh-'));
const c = new Controller({
  network: {panID: 0x1aaa, extendedPanID: [0, 0, 0, 0, 0, 0xa, 0x11, 0xce], channelList: [15],
            networkKey: [...Buffer.from('00112233445566778899aabbccddeeff', 'hex')]},
  serialPort: {path: process.env.RCP_URL, adapter: 'zoh'},
  databasePath: dir + '/db', databaseBackupPath: dir + '/dbb', backupPath: dir + '/bk',
  adapter: {}, acceptJoiningDeviceHandler: async () => true});
let asked = false;
async function ask(device) {
  if (asked) return;
  asked = true;
  console.log('JOINED', device.ieeeAddr);
  const ep = device.getEndpoint(1) || device.createEndpoint(1);
  let bad = 0;
  for (const profileId of [0x0109, 0x0104]) {
    try {
      console.log('READ', profileId.toString(16), JSON.stringify(await ep.read('seMetering', ['currentSummDelivered'], {timeout: 4000, profileId})));
      bad = 1;
    } catch (err) { console.log('REFUSED', profileId.toString(16), err.message); }
  }
  process.exit(bad);
}
c.on('deviceJoined', e => setTimeout(() => ask(e.device), 3000));
(async () => { try { await c.start(); await c.permitJoin(60); } catch (e) { console.log('FAIL', e.stack); process.exit(1); } })();
setTimeout(() => { console.log('TIMEOUT'); process.exit(2); }, 60000);
